DRAW = {}
