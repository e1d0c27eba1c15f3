"""What a process lends to Keryx's compiled code: memory, and a cache of compiled programs.

`import keryx` takes nothing of it. `process.ready()` takes it when a weight is made or a program runs, once;
`keryx.config.report()` tells what was taken. Each part can be turned off, and goes by what the environment says.
"""

from keryx.runtime.report import report as report
