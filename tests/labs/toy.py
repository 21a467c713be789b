# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 99 — A toy
#
# One exercise, one trained model that is not there, one written answer.

# %%
# SETUP

# %%
# mine: the student's own where its check passes
from course_lib.notebook.check import mine

# %% [markdown]
# ## § 1 Doubling
# <details><summary>Hint</summary>Twice is the sum of a thing and itself.</details>


# %%
# EXERCISE double
def double(x):
    """Twice x. x: Float[T]"""
    ### BEGIN SOLUTION
    twice_as_much = x + x
    return twice_as_much
    ### END SOLUTION


# %%
check("double")

# %%
doubler = mine("double", globals(), lambda x: 2 * x)
print(doubler(21))

# %%
# LONG
trained = [doubler(step) for step in range(3)]
print(trained)

# %%
check("toy_model")

# %% [markdown]
# <!-- WRITTEN why -->
# Why does it double?
#
# ### BEGIN SOLUTION
# Because a thing and itself are two things.
# ### END SOLUTION

# %%
submit()
