"""The course's own answer to each exercise, under the question's id, one module a lab: what `mine` takes where a
student has none that passes. Imported from the library where it stands there in the shape that the exercise asks for.
"""
