"""The page of `course review`: its HTML and its script. Whatever comes from a student is set as textContent; the
server's policy allows no other script.
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
</header>
<main>
<details id="asked" open><summary>Question and rubric</summary>
<div class="text" id="text" dir="auto"></div><dl id="rubric"></dl></details>
<section aria-labelledby="place">
<h2 id="place" tabindex="-1">Answer</h2>
<p class="soft" id="who" hidden></p>
<div class="text" id="answer" dir="auto"></div>
<p class="soft" id="note"></p>
</section>
<p id="mark" class="big"></p>
<div class="row" role="group" aria-label="Points" id="points"></div>
<label for="comment">Comment for the student (<kbd>c</kbd>; Ctrl+Enter keeps it, Esc leaves it)</label>
<textarea id="comment" maxlength="4000"></textarea>
<div class="row">
<button id="previous">Previous <kbd>k</kbd></button>
<button id="next">Next <kbd>j</kbd></button>
<button id="open">Next unmarked <kbd>n</kbd></button>
<button id="undo">Take back <kbd>u</kbd></button>
<button id="help">Help <kbd>?</kbd></button>
</div>
<p id="said" role="status"></p><p id="alarm" role="alert" class="bad"></p>
</main>
<dialog id="keys" aria-labelledby="keys_title"><h2 id="keys_title">Keys</h2>
<p><kbd>0</kbd> no points, <kbd>1</kbd>–<kbd>9</kbd> the levels of the rubric from the lowest up<br>
<kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>n</kbd> next unmarked<br>
<kbd>c</kbd> comment, <kbd>Ctrl+Enter</kbd> keeps it<br>
<kbd>u</kbd> take back your last mark<br><kbd>?</kbd> this help</p>
<p><label><input type="checkbox" id="single" checked> Single keys act (switch off for speech input)</label></p>
<p>A mark is on disk before the next answer shows. An answer on somebody else's screen is passed over.</p>
<button id="close">Close</button></dialog>
</body></html>
"""

SCRIPT = r"""'use strict'
const $ = id => document.getElementById(id)
const session = Array.from(crypto.getRandomValues(new Uint8Array(8)), b => b.toString(16).padStart(2, '0')).join('')
const drafts = {}          // comments that were typed and not kept yet, by item
let data, question, at = 0, shown = null, busy = false, mine = []

const points = n => n + (n === 1 ? ' point' : ' points')
const steps = () => [...question.levels].reverse()                       // key k gives steps()[k], key 0 nothing
const current = () => question.order[at]
const say = text => { $('said').textContent = text; $('alarm').textContent = '' }

async function ask(path, wish) {
  const body = wish && JSON.stringify({...wish, session})
  const options = wish && {method: 'POST', headers: {'Content-Type': 'application/json'}, body}
  let reply
  try { reply = await fetch(path, options) } catch {
    throw Error('Not kept: the server does not answer. Start course review again and open its new address.')
  }
  const got = await reply.json()
  if (got.marks) { data.marks = got.marks; data.taken = got.taken }
  if (!reply.ok) throw Error('Not kept: ' + got.message + '.')
  return got
}

function element(tag, text) { const made = document.createElement(tag); made.textContent = text; return made }

function choose(id) {
  question = data.questions.find(q => q.id === id)
  $('text').textContent = question.text
  const terms = question.levels.flatMap(level => [element('dt', points(level.points)), element('dd', level.text)])
  $('rubric').replaceChildren(...terms)
  $('points').replaceChildren(...steps().map((level, k) => {
    const button = element('button', points(level.points) + ' ')
    button.append(element('kbd', k)); button.dataset.points = level.points; button.title = level.text
    button.addEventListener('click', () => give(level.points))
    return button
  }))
  const look = !question.levels.length
  for (const id of ['points', 'comment', 'mark']) $(id).hidden = look
  document.querySelector('label[for=comment]').hidden = look
  at = Math.max(0, nextOpen(-1))
  return show()
}

// the first answer after `from`, round the end, that nobody has marked or has on the screen; -1 if there is none
function nextOpen(from) {
  const n = question.order.length
  for (let k = 1; k <= n; k++) {
    const place = (from + k + n) % n
    if (!data.marks[question.order[place]] && !data.taken.includes(question.order[place])) return place
  }
  return -1
}

async function show() {
  const name = current()
  if (!name) {
    $('answer').textContent = ''; $('place').textContent = 'No answers'; $('progress').textContent = '0 of 0'
    return
  }
  const got = await ask('item/' + session + '/' + name)
  shown = name
  $('place').textContent = `Answer ${at + 1} of ${question.order.length}`
  $('who').textContent = got.who; $('who').hidden = !got.who
  $('answer').textContent = got.answer || '(empty)'
  $('note').textContent = got.note
  paint()
  $('place').focus({preventScroll: true})
}

function paint() {
  const mark = data.marks[shown], total = question.order.length
  const done = question.order.filter(name => data.marks[name]).length
  $('mark').textContent = mark ? `Marked ${points(mark.score)} by ${mark.by}` : 'Not marked'
  for (const button of $('points').children) {
    button.setAttribute('aria-pressed', String(Boolean(mark) && Number(button.dataset.points) === mark.score))
  }
  $('comment').value = drafts[shown] ?? (mark ? mark.comment : '')
  $('progress').textContent = question.levels.length ? `${done} of ${total} marked` : `${total} to look at`
  $('bar').max = total || 1; $('bar').value = done; $('bar').hidden = !question.levels.length
}

// one request at a time: a key that is pressed meanwhile was meant for an answer that nobody has seen yet
async function once(work) {
  if (busy) return
  busy = true
  try { await work() } catch (error) {
    $('said').textContent = ''; $('alarm').textContent = error.message
    if (shown) paint()
  }
  busy = false
}

const move = place => once(async () => {
  if (place >= 0 && place < question.order.length) { at = place; say(''); await show() }
})

const give = (score, stay) => once(async () => {
  if (!shown || !question.levels.length) return
  const marked = shown, number = at + 1, seen = data.marks[marked] ? data.marks[marked].at : null
  await ask('mark', {id: marked, score, comment: $('comment').value, by: $('by').value, seen})
  delete drafts[marked]; mine.push(marked)
  const place = stay ? at : nextOpen(at)
  say(`Answer ${number}: ${points(score)}, kept.` + (place < 0 ? ' All answers of this question are marked.' : ''))
  if (place >= 0 && !stay) { at = place; await show() } else paint()
})

const undo = () => once(async () => {
  while (mine.length && !data.marks[mine[mine.length - 1]]) mine.pop()
  const got = await ask('undo', {by: $('by').value, ...(mine.length ? {id: mine.pop()} : {})})
  const home = data.questions.find(q => q.order.includes(got.id))
  if (home !== question) { $('question').value = home.id; await choose(home.id) }
  at = home.order.indexOf(got.id)
  await show()
  say(`The mark of answer ${at + 1} was taken back.`)
})

const help = () => { if (!$('keys').open) $('keys').showModal() }
const keys = {
  j: () => move(at + 1), k: () => move(at - 1), n: () => move(nextOpen(at)), u: undo, c: () => $('comment').focus(),
  '?': help
}

function inComment(event) {
  if (event.key === 'Escape') { $('place').focus(); event.preventDefault() }
  if (event.key !== 'Enter' || !event.ctrlKey) return
  event.preventDefault(); $('place').focus()
  if (data.marks[shown]) give(data.marks[shown].score, true)
  else say('The comment is kept together with the points that you give.')
}

document.addEventListener('keydown', event => {
  const typing = event.target.closest('textarea, input:not([type=checkbox]), select, dialog')
  if (event.target.id === 'comment') inComment(event)
  if (typing || event.ctrlKey || event.altKey || event.metaKey || event.repeat || !$('single').checked) return
  const level = /^[0-9]$/.test(event.key) && steps()[Number(event.key)]
  if (level) { event.preventDefault(); give(level.points) }
  else if (keys[event.key]) { event.preventDefault(); keys[event.key]() }
})

$('comment').addEventListener('input', () => { drafts[shown] = $('comment').value })
$('question').addEventListener('change', () => once(() => choose($('question').value)))
$('previous').addEventListener('click', keys.k)
$('next').addEventListener('click', keys.j)
$('open').addEventListener('click', keys.n)
$('undo').addEventListener('click', undo)
$('help').addEventListener('click', help)
$('close').addEventListener('click', () => $('keys').close())

once(async () => {
  data = {marks: {}, taken: []}
  data = await ask('start/' + session)
  document.title = `Review ${data.lab}`; $('title').textContent = `${data.lab}: review`; $('by').value = data.by
  const options = data.questions.map(q => { const made = element('option', q.title); made.value = q.id; return made })
  $('question').replaceChildren(...options)
  await choose(data.questions[0].id)
})
"""
