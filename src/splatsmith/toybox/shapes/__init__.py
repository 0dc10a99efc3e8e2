"""What the categories look like: one short function each, from parameters in 0..1 to parts.

A shape function draws in any units, front toward +x and up toward +z, and returns the point
that is to become the origin; `Sketch.finish` then scales the object to fill the unit ball.
"""
