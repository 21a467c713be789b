"""The script of the page of `course review`. Texts are set as textContent, never as HTML."""

SCRIPT = r"""'use strict'
const $ = id => document.getElementById(id)
const session = Array.from(crypto.getRandomValues(new Uint8Array(8)), b => b.toString(16).padStart(2, '0')).join('')
const typed = {}           // comments and reasons that were typed and not kept yet, by item
const drafts = {}          // what the instructor's program says, by item
let data, question, at = 0, shown = null, busy = false, mine = [], last = null

const counted = (n, what) => n + ' ' + what + (n === 1 ? '' : 's')
const points = n => counted(n, 'point')
const steps = () => [...question.levels].reverse()                       // key k gives steps()[k], key 0 nothing
const say = text => { $('said').textContent = text; $('alarm').textContent = '' }
const home = name => data.questions.find(q => q.order.includes(name))
const noun = () => question.levels.length ? 'Answer' : 'Hand-in'
const isOpen = name => data.decided[name] ? data.decided[name].open : !data.marks[name]
const stands = () => ((data.decided[shown] || {}).stands || {})[$('part').value]

async function ask(path, wish) {
  const body = wish && JSON.stringify({...wish, session})
  const options = wish && {method: 'POST', headers: {'Content-Type': 'application/json'}, body}
  let reply
  try { reply = await fetch(path, options) } catch {
    throw Error('Not kept: the server does not answer. Start course review again and open its new address.')
  }
  const got = await reply.json()
  if (got.marks) { data.marks = got.marks; data.taken = got.taken; data.decided = got.decided }
  if (!reply.ok) throw Error('Not kept: ' + got.message + '.')
  return got
}

function element(tag, text, value) {
  const made = document.createElement(tag)
  made.textContent = text
  if (value !== undefined) made.value = value
  return made
}

function choose(id, place) {
  question = data.questions.find(q => q.id === id)
  $('question').value = id
  $('text').textContent = question.text
  const terms = question.levels.flatMap(level => [element('dt', points(level.points)), element('dd', level.text)])
  $('rubric').replaceChildren(...terms)
  $('points').replaceChildren(...steps().map((level, k) => {
    const button = element('button', points(level.points) + ' ')
    button.append(element('kbd', k)); button.dataset.points = level.points; button.title = level.text
    button.addEventListener('click', () => give(level.points))
    return button
  }))
  $('part').replaceChildren(...question.parts.map(part => element('option', part.title, part.id || '')))
  const look = !question.levels.length
  for (const id of ['points', 'same', 'undo']) $(id).hidden = look
  for (const id of ['decision', 'stands']) $(id).hidden = !look
  $('asked').firstElementChild.textContent = look ? 'What to do' : 'Question and rubric'
  $('what').textContent = look ? 'Reason, which the student reads' : 'Comment for the student'
  at = place === undefined ? Math.max(0, nextOpen(-1)) : place
  return show()
}

const go = name => choose(home(name).id, home(name).order.indexOf(name))

// the first item after `from`, round the end, that is open and on nobody else's screen; -1 if there is none
function nextOpen(from) {
  const n = question.order.length
  for (let k = 1; k <= n; k++) {
    const place = (from + k + n) % n, name = question.order[place]
    if (isOpen(name) && !data.taken.includes(name)) return place
  }
  return -1
}

// what is still open here and in the other lists, in words
function left() {
  const here = question.order.filter(isOpen).length, lines = []
  if (here) return `${here} of this list ${here === 1 ? 'is' : 'are'} still open, on another screen.`
  for (const q of data.questions) {
    const n = q.order.filter(isOpen).length
    if (n) lines.push(`${q.title}: ${n}`)
  }
  if (data.waiting) lines.push(`${counted(data.waiting, 'hand-in')} not graded yet`)
  const whose = data.account ? 'Your share is' : 'All of the lab is'
  return lines.length ? `This list is done. Still open: ${lines.join('; ')}.` : `${whose} marked, and nothing is open.`
}

async function show() {
  const name = question.order[at]
  if (!name) {
    $('answer').textContent = ''; $('place').textContent = 'No answers'; $('progress').textContent = '0 of 0'
    return
  }
  const got = await ask('item/' + session + '/' + name)
  shown = name
  $('place').textContent = `${noun()} ${at + 1} of ${question.order.length}`
  $('who').textContent = got.who; $('who').hidden = !got.who
  $('answer').textContent = got.answer || '(empty)'; $('answer').hidden = Boolean(got.cells.length)
  $('note').textContent = got.note
  $('cells').replaceChildren(...got.cells.flatMap(cell)); $('cells').hidden = !got.cells.length
  $('cells').scrollTop = 0
  $('given').value = ''
  paint()
  $('place').focus({preventScroll: true})
  if (innerWidth < 600) $('place').scrollIntoView()
  if (data.suggest && question.levels.length && isOpen(name)) setTimeout(() => suggest(name), 300)
}

function cell([number, kind, source, output]) {
  const made = number === null ? [] : [element('h3', `Cell ${number}, ${kind}`)]
  made.push(element('pre', source))
  if (output) { made.push(element('pre', output)); made[made.length - 1].className = 'soft' }
  for (const each of made) each.dir = 'auto'
  return made
}

function paint() {
  const mark = data.marks[shown], look = !question.levels.length, draft = !look && !mark && drafts[shown]
  const total = question.order.length, open = question.order.filter(isOpen).length, done = total - open
  $('mark').textContent = mark ? `Marked ${points(mark.score)} by ${mark.by}` : 'Not marked'
  $('mark').hidden = look
  for (const button of $('points').children) {
    button.setAttribute('aria-pressed', String(Boolean(mark) && Number(button.dataset.points) === mark.score))
    button.classList.toggle('draft', Boolean(draft) && Number(button.dataset.points) === draft.points)
  }
  $('draft').hidden = !draft
  if (draft) {
    $('draft').textContent = draft.problem ? `No draft by ${data.suggest}: ${draft.problem}`
      : draft.waiting ? `${data.suggest} is asked …` : `Draft by ${data.suggest}, not saved: ${points(draft.points)}`
  }
  const kept = look ? (stands() || {}).reason : mark ? mark.comment : (draft || {}).comment
  $('comment').value = typed[shown] ?? kept ?? ''
  const lines = Object.values((data.decided[shown] || {}).stands || {}).map(line => element('li', line.text))
  $('stands').replaceChildren(...lines); $('stands').hidden = !lines.length
  const part = question.parts.find(part => (part.id || '') === $('part').value)
  $('of').textContent = part ? `of ${part.points}` : ''
  $('clear').hidden = !stands()
  const flagged = question.id === data.flagged
  const word = look ? 'decided' : 'marked'
  $('progress').textContent = flagged ? `${total} to look at` : `${done} of ${total} ${word}`
  $('bar').max = total || 1; $('bar').value = done; $('bar').hidden = flagged
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

const forward = () => once(async () => {
  if (nextOpen(at) < 0) await ask('start/' + session)                    // what others had may be free again
  const place = nextOpen(at)
  if (place < 0) return say(left())
  at = place; say(''); await show()
})

async function onward(told, stay) {
  const place = stay ? at : nextOpen(at)
  say(told + (place < 0 ? ' ' + left() : ''))
  if (place >= 0 && !stay) { at = place; await show() } else paint()
}

const give = (score, stay) => once(async () => {
  if (!shown || !question.levels.length) return
  const marked = shown, comment = $('comment').value, number = at + 1
  await ask('mark', {id: marked, score, comment, by: $('by').value, seen: data.marks[marked]?.at ?? null})
  delete typed[marked]; mine.push(marked); last = {id: marked, like: question.like[marked], score, comment}
  await onward(`Answer ${number}: ${points(score)}, kept.`, stay)
})

// the last mark for the like answer on the screen; else the next like one comes on the screen, and nothing is marked
function same() {
  const like = name => last && last.like && name !== last.id && question.like[name] === last.like && isOpen(name)
  if (!question.levels.length) return
  if (like(shown)) { $('comment').value = typed[shown] ?? last.comment; return give(last.score) }
  const place = question.order.findIndex(name => like(name) && !data.taken.includes(name))
  if (place < 0) return say(last ? 'No open answer is like the one you marked last.' : 'Mark an answer first.')
  return once(async () => { at = place; await show(); say(`Like your last: l gives it ${points(last.score)}, too.`) })
}

const decide = (value, excused = false) => once(async () => {
  const id = shown, number = at + 1, part = $('part').value, told = $('part').selectedOptions[0].textContent
  if (Number.isNaN(value)) throw Error('Not kept: write the points as a number.')
  const wish = {id, question: part || null, points: value, excused, reason: $('comment').value, by: $('by').value}
  await ask('decide', {...wish, seen: stands()?.at ?? null})
  delete typed[id]; $('given').value = ''
  const what = excused ? 'excused' : value === null ? 'what stood is cleared' : points(value)
  await onward(`Hand-in ${number}: ${told}, ${what}, kept.`, isOpen(id) || question.id === data.flagged)
})

const set = () => decide($('given').value.trim() === '' ? NaN : Number($('given').value.replace(',', '.')))

const undo = () => once(async () => {
  while (mine.length && !data.marks[mine[mine.length - 1]]) mine.pop()
  const got = await ask('undo', {by: $('by').value, ...(mine.length ? {id: mine.pop()} : {})})
  await go(got.id)
  say(`The mark of answer ${at + 1} was taken back.`)
})

async function suggest(name) {
  if (shown !== name || !isOpen(name) || drafts[name]) return
  drafts[name] = {waiting: true}; paint()
  try { drafts[name] = await ask('suggest', {id: name}) } catch (error) { drafts[name] = {problem: error.message} }
  if (shown === name) paint()
}

const find = () => once(async () => {
  const got = await ask('find', {text: $('find').value})
  const hits = got.found.flatMap(({who, items}) => items.map(name => {
    const button = element('button', `${who}: ${home(name).title}`)
    button.addEventListener('click', () => once(() => go(name)))
    return button
  }))
  $('found').replaceChildren(...(hits.length ? hits : [element('span', 'Nobody of this name has anything to read.')]))
})

const help = () => { if (!$('keys').open) $('keys').showModal() }
const clear = () => decide(null)
const excuse = () => decide(null, true)
const keys = {
  j: () => move(at + 1), k: () => move(at - 1), n: forward, l: same, c: () => $('comment').focus(),
  u: () => question.levels.length ? undo() : stands() && clear(),
  p: () => $('given').focus(), '/': () => $('find').focus(), '?': help
}

function inComment(event) {
  if (event.key === 'Escape') { $('place').focus(); event.preventDefault() }
  if (event.key !== 'Enter' || !event.ctrlKey) return
  event.preventDefault()
  if (!question.levels.length) return set()
  $('place').focus()
  if (data.marks[shown]) give(data.marks[shown].score, true)
  else say('The comment is kept together with the points that you give.')
}

document.addEventListener('keydown', event => {
  const typing = event.target.closest('textarea, input:not([type=checkbox]), select, dialog')
  if (event.target.id === 'comment') inComment(event)
  if (event.target.id === 'find' && event.key === 'Enter') find()
  if (event.target.id === 'given' && event.key === 'Enter') $('comment').focus(), event.preventDefault()
  if (typing || event.ctrlKey || event.altKey || event.metaKey || event.repeat || !$('single').checked) return
  const level = /^[0-9]$/.test(event.key) && steps()[Number(event.key)]
  if (level) { event.preventDefault(); give(level.points) }
  else if (keys[event.key]) { event.preventDefault(); keys[event.key]() }
})

$('comment').addEventListener('input', () => { typed[shown] = $('comment').value })
$('question').addEventListener('change', () => once(() => choose($('question').value)))
$('part').addEventListener('change', paint)
const clicks = {previous: keys.k, next: keys.j, open: forward, same, undo, help, look: find, set, excuse, clear}
for (const id in clicks) $(id).addEventListener('click', () => clicks[id]())
$('close').addEventListener('click', () => $('keys').close())

// a tab that is closed sets its answer free
addEventListener('pagehide', () => {
  navigator.sendBeacon('leave', new Blob([JSON.stringify({session})], {type: 'application/json'}))
})
addEventListener('pageshow', event => { if (event.persisted) once(show) })

once(async () => {
  data = {marks: {}, taken: [], decided: {}}
  data = await ask('start/' + session)
  document.title = `Review ${data.lab}`; $('title').textContent = `${data.lab}: review`
  $('by').value = data.by; $('by').readOnly = data.account; $('finder').hidden = !data.names
  $('question').replaceChildren(...data.questions.map(q => element('option', q.title, q.id)))
  if (data.questions.length) await choose(data.questions[0].id)
  else $('place').textContent = 'No answers'
})
"""
