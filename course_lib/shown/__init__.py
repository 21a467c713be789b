"""What the labs print, draw, search for and compare around the exercises, one module a lab. What a lab teaches is not
here: it stands in the notebook or in stages/.
"""
