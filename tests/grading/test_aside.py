"""What earlier cells have left running, seen where it calls the course's code while an answer runs."""

import json
import subprocess
import sys

# in a process of its own: the watch stays for good
SCRIPT = """
import json, os, queue, threading
from course_lib.questions import own_code
aside = own_code.Aside()
from course_lib.stages.pretrain import learning_rate
asked, done = queue.Queue(), queue.Queue()
def serve():
    while True:
        done.put(asked.get()())
threading.Thread(target=serve, daemon=True).start()
own = lambda: sum(range(10))
course = lambda: learning_rate(1, 10, 2, 0.1, 0.1)
def in_a_thread(work):
    asked.put(work)
    return done.get(timeout=20)
(their_end, ask), (answered, tell) = os.pipe(), os.pipe()
if os.fork() == 0:  # a process that serves: 0 its own work, 1 the course's
    os.close(ask)
    while which := os.read(their_end, 1):
        (own, course)[which[0]]()
        os.write(tell, b"x")
    os._exit(0)
def in_a_process(work):
    os.write(ask, bytes([work is course]))
    os.read(answered, 1)
seen = {}
for name, run in (("thread", in_a_thread), ("process", in_a_process)):
    for what, work in (("own", own), ("course", course)):
        run(work)  # between two answers it is nobody's business
        with aside.answering(), own_code.only_own_code():
            run(work)
        seen[f"{name} {what}"] = aside.helped()
os.close(ask)
print(json.dumps(seen))
"""


def test_a_thread_or_process_of_an_earlier_cell_that_answers_is_seen():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True)
    seen = json.loads(done.stdout)
    assert seen == {"thread own": False, "thread course": True, "process own": False, "process course": True}
