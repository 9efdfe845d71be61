"""Facts and declarations: configuration, plates, arrays, steps."""
