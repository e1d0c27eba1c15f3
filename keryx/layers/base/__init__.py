"""What a layer consists of, beside `layer.py`: its calls, its shapes, its arguments."""
