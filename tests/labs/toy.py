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
# **About 8 minutes.** Your computer works alone for less than 1 of these minutes.
#
# One exercise, one trained model that is not there, one written answer.

# %%
# SETUP

# %%
# mine: the student's own where its check passes
from course_lib.notebook.check import mine

# %% [markdown]
# ## § 1 Doubling
#
# > Difficulty: ●○○○○ (1 of 5)
# > Minutes: 2
#
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
doubler = (2).__mul__
print(doubler(21))

# %% [markdown]
# **What to notice.** Twice 21 is 42, and the doubler makes nothing smaller. To double is to add a thing to itself.

# %%
# CLAIM
{
    "Twice 21 is 42": doubler(21) == 42,
    "the doubler makes nothing smaller": all(doubler(x) >= x for x in range(5)),
    "To double is to add": GENERAL,
}

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
# CLAIM
{"a thing and itself are two things": GENERAL}

# %%
submit()
