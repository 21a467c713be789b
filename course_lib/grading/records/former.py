"""{lab: the spec of before under which the same answer has the same points}: its results stand as if graded today.

These are of commit 1b170b5, before files were moved and formatted, which changed their bytes and no score. An entry
goes with the first change of that lab's questions, or of what all labs share in `store.spec_sha`, that can alter a
grade: the change that gets a line in CHANGELOG.md. To renew after another move: `store.spec_sha(lab)` in a checkout of
before.
"""

# fmt: off
SAME_QUESTIONS = {
    "00_start_here": "11d253990ac948e2",
    "01_data_and_tokenizer": "1dc58b9047b67c95",
    "02_pretraining": "71f2275e99fc1054",
    "03_supervised_fine_tuning": "7793a4a751d348c1",
    "04_lora_and_qlora": "f884a4f992e33254",
    "05_finetune_or_retrieve": "049d12fb248b6336",
    "06_preferences_and_reward_model": "9d634e969b19fbdf",
    "07_rlhf": "3965a74f3b42cb9c",
    "08_direct_alignment": "60825a24f86b04fc",
    "09_ai_feedback": "58312fef44482ec3",
    "10_safety_refusals": "2a5ccc2a0e08f08c",
    "11_evaluation_and_release": "b71f822d0bfc40c8",
}
# fmt: on
