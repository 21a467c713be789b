"""The page of `course review`: its HTML and its look. Whatever comes from a student is set as textContent by its script
(script.py); the server's policy allows no other.
"""

STYLE = """
[hidden] { display: none !important; }
#cells { max-height: 65vh; overflow-y: auto; border: 1px solid var(--line); border-radius: .3rem; padding: 0 .6rem; }
#cells h3 { font-size: .92rem; font-weight: 400; }
#cells pre.soft { border-style: dashed; }
#note { white-space: pre-wrap; }
#rubric dd { margin-left: 1rem; }
#asked > summary { font-weight: 650; }
#draft { border-left: .3rem solid var(--link); padding-left: .6rem; }
button.draft { outline: 2px dashed var(--link); }
#act p, #act .row, #stands { margin: .3rem 0; }
@media (min-height: 34rem) {
  #act { position: sticky; bottom: 0; background: var(--paper); border-top: 1px solid var(--line); }
}
"""

HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Review</title>
<link rel="stylesheet" href="style.css"><script src="app.js" defer></script></head>
<body>
<header>
<h1 id="title">Review</h1>
<div class="row"><label>Question <select id="question"></select></label>
<label>Your name <input id="by" size="14" maxlength="80" autocomplete="off"></label>
<span id="progress" class="big"></span>
<progress id="bar" aria-labelledby="progress" value="0" max="1"></progress></div>
<search id="finder" hidden><label>Find a student <input id="find" type="search" size="18" autocomplete="off"></label>
<button id="look">Find</button>
<div class="row" id="found" role="status"></div></search>
</header>
<main>
<details id="asked" open><summary>Question and rubric</summary>
<div class="text" id="text" dir="auto"></div><dl id="rubric"></dl></details>
<section aria-labelledby="place">
<h2 id="place" tabindex="-1">Answer</h2>
<p class="soft" id="who" hidden></p>
<div class="text" id="answer" dir="auto"></div>
<p class="soft" id="note"></p>
<div id="cells" role="region" aria-label="Notebook" tabindex="0" hidden></div>
</section>
<p id="draft" hidden></p>
<div id="act">
<p id="mark" class="big"></p>
<ul id="stands" hidden></ul>
<div class="row" role="group" aria-label="Points" id="points"></div>
<div class="row" role="group" aria-label="Points by a person" id="decision" hidden>
<label>Points for <select id="part"></select></label>
<label>Points <input id="given" inputmode="decimal" size="6" autocomplete="off"></label> <span id="of"></span>
<button id="set">Set</button> <button id="excuse">Excuse</button>
<button id="clear">Clear what stands <kbd>u</kbd></button></div>
<p id="said" role="status"></p><p id="alarm" role="alert" class="bad"></p>
</div>
<label for="comment"><span id="what">Comment for the student</span> (<kbd>c</kbd>; Ctrl+Enter keeps it, Esc leaves
it)</label>
<textarea id="comment" maxlength="4000"></textarea>
<div class="row">
<button id="previous">Previous <kbd>k</kbd></button>
<button id="next">Next <kbd>j</kbd></button>
<button id="open">Next open <kbd>n</kbd></button>
<button id="same">Like the last <kbd>l</kbd></button>
<button id="undo">Take back <kbd>u</kbd></button>
<button id="help">Help <kbd>?</kbd></button>
</div>
</main>
<dialog id="keys" aria-labelledby="keys_title"><h2 id="keys_title">Keys</h2>
<p><kbd>0</kbd> no points, <kbd>1</kbd>–<kbd>9</kbd> the levels of the rubric from the lowest up<br>
<kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>n</kbd> next open one<br>
<kbd>l</kbd> your last mark, with its comment, for an answer that says nearly the same<br>
<kbd>p</kbd> points for a hand-in, <kbd>/</kbd> find a student<br>
<kbd>c</kbd> comment or reason, <kbd>Ctrl+Enter</kbd> keeps it<br>
<kbd>u</kbd> take back your last mark; of a hand-in, clear the points that stand<br><kbd>?</kbd> this help</p>
<p><label><input type="checkbox" id="single" checked> Single keys act (switch off for speech input)</label></p>
<p>A mark is on disk before the next answer shows. An answer on somebody else's screen is passed over.</p>
<button id="close">Close</button></dialog>
</body></html>
"""
