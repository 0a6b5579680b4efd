"""Structure: anything that says where things are -> `DepthVideo`."""
