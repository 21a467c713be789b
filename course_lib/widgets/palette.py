"""Colours that people with a colour-vision deficiency can tell apart (Okabe and Ito 2008). Never the only carrier of a
meaning. What pictures do with them: style.py.
"""

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC3311", "#AA4499", "#777777"
SKY, AMBER = "#56B4E9", "#E69F00"
