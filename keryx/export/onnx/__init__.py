"""Models as ONNX: graphs of ONNX's own operators, made from Keryx's own graphs."""
