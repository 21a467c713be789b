"""Public preferences for the real model, where somebody asks for them: the environment variable COURSE_DATA is `hub`,
or a folder that has the file.

UltraFeedback (Cui et al. 2023), binarized by Hugging Face H4: answers of many models to people's prompts, marked by
GPT-4. MIT licence; 7 MB; English. Revision and sha256 are those that public repositories cite which pin this data set;
whoever wrote this had no Hub to download the file from.
"""

import hashlib
import os
from pathlib import Path

from course_lib.platform import CourseError
from course_lib.stages.real import ask_hub, first_line

NAME, REVISION = "HuggingFaceH4/ultrafeedback_binarized", "3949bf5f8c17c394422ccfab0c31ea9c20bdeb85"
FILE = "data/test_prefs-00000-of-00001.parquet"
SHA256 = "e9dab2789f419d4204d73ec2c860af6d88d466b906e0109e69b96075467eb389"


def hub_rows(count: int, longest: int = 600) -> list[dict] | None:
    """The first `count` preferences {"messages", "chosen", "rejected"} with no text above `longest` characters; None
    unless COURSE_DATA is set.

    `messages` ends with the user's, the answers are texts. Raises CourseError, one line, where the data cannot be had.
    """
    asked = os.environ.get("COURSE_DATA")
    if not asked:
        return None
    if asked != "hub" and not Path(asked).is_dir():
        raise CourseError(
            f"COURSE_DATA is {asked!r}: set it to hub or to a folder that has {FILE}, or unset it for the course's own "
            "data."
        )
    file = from_hub() if asked == "hub" else Path(asked) / FILE
    if not file.is_file():
        raise CourseError(
            f"{asked} has no {FILE}: put the file of {NAME} there, or unset COURSE_DATA for the course's own data."
        )
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise CourseError(
            f"{file} is not the file of revision {REVISION[:7]}, or is cut off: remove it and download it again, or "
            "unset COURSE_DATA."
        )
    import pyarrow.parquet

    rows = []
    for row in pyarrow.parquet.read_table(file, columns=["chosen", "rejected"]).to_pylist():
        prompt, chosen, rejected = row["chosen"][:-1], row["chosen"][-1]["content"], row["rejected"][-1]["content"]
        texts = [chosen, rejected, *(message["content"] for message in prompt)]
        if chosen != rejected and all(text.strip() for text in texts) and max(map(len, texts)) <= longest:
            rows.append({"messages": prompt, "chosen": chosen, "rejected": rejected})
    if len(rows) < count:
        raise CourseError(
            f"{NAME} has {len(rows)} preferences of at most {longest} characters, and {count} are wanted: take fewer, "
            "or longer ones."
        )
    return rows[:count]


def from_hub():
    """The file, from the Hub's cache on this disk or over the network."""
    from huggingface_hub import hf_hub_download

    fetch = lambda here: Path(
        hf_hub_download(NAME, FILE, repo_type="dataset", revision=REVISION, local_files_only=here)
    )
    try:
        return fetch(True)
    except (OSError, ValueError):
        ask_hub(f"datasets/{NAME}", REVISION, FILE, "COURSE_DATA")
    try:
        return fetch(False)
    except Exception as error:  # as in real.hub_folder
        raise CourseError(
            f"{NAME} could not be downloaded ({first_line(error)}): run this again, or unset COURSE_DATA."
        ) from None
