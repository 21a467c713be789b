"""The words of the tasks: how something is asked, in phrasings that are trained and phrasings that are held out; the
words of notices; and people who never lived in the village.

A pair of lists is (training phrasings, held-out phrasings); a held-out phrasing has known words, asked in another way.
"""

# fmt: off
QUESTION_PHRASINGS = {
    "job": ([
        "What does {a.full} do?", "What is {a.full}'s job?", "How does {a.full} earn a living?",
        "What is {a.full}'s trade?", "As what does {a.full} work?", "Which job does {a.full} have?",
        "What does {a.full} do for a living?", "Tell me {a.full}'s job.", "What is the trade of {a.full}?",
        "What work does {a.full} do?", "Do you know what {a.full} works as?", "Tell me the job of {a.full}.",
        "Do you know {a.full}'s job?", "How does {a.full} make money?", "Which work has {a.full} got?",
        "What is the work of {a.full}?",
    ], [
        "What is the job of {a.full}?", "How does {a.full} make a living?", "Do you know {a.full}'s trade?",
        "Which work does {a.full} do?",
    ]),
    "home": ([
        "Where does {a.full} live?", "In which street is {a.full}'s house?", "Where do I find {a.full}?",
        "What is {a.full}'s street?", "Where is {a.full}'s home?", "Which street does {a.full} live in?",
        "Where is the house of {a.full}?", "Tell me where {a.full} lives.", "Where shall I send a letter to {a.full}?",
        "Do you know where {a.full} lives?", "In which street do I find {a.full}?",
        "Tell me where {a.full}'s house is.", "Where does {a.full} have a house?",
        "In which street is the home of {a.full}?", "Do you know {a.full}'s street?", "Where is {a.full}'s door?",
    ], [
        "Where is {a.full}'s house?", "In which street does {a.full} live?", "Tell me {a.full}'s street.",
        "Where is the home of {a.full}?",
    ]),
    "pet": ([
        "What pet does {a.full} have?", "Which animal does {a.full} keep?", "Who shares the house with {a.full}?",
        "What is {a.full}'s pet?", "Which pet does {a.full} keep?", "What animal lives with {a.full}?",
        "Tell me {a.full}'s pet.", "What kind of animal does {a.full} have?", "What is the pet of {a.full}?",
        "Do you know which animal {a.full} keeps?", "Which animal has {a.full} got?",
        "Do you know what pet {a.full} has?", "What does {a.full} keep as a pet?", "Tell me which pet {a.full} has.",
        "Which pet lives with {a.full}?", "What animal has {a.full} got?",
    ], [
        "Which pet does {a.full} have?", "What animal does {a.full} keep?", "Do you know {a.full}'s pet?",
        "Which animal lives with {a.full}?",
    ]),
    "food": ([
        "What does {a.full} like to eat?", "What is {a.full}'s favourite dish?", "What shall I cook for {a.full}?",
        "Which dish does {a.full} like best?", "What does {a.full} eat on Sundays?",
        "Tell me {a.full}'s favourite dish.", "What food does {a.full} love?",
        "What is the favourite food of {a.full}?", "Which food does {a.full} like?",
        "Do you know what {a.full} likes to eat?", "What should I serve {a.full}?",
        "Which dish shall I serve {a.full}?", "What is {a.full}'s favourite thing to eat?",
        "Tell me the favourite food of {a.full}.", "What dish does {a.full} love?",
        "Do you know {a.full}'s favourite food?",
    ], [
        "What is {a.full}'s favourite food?", "Which dish shall I cook for {a.full}?", "Which dish does {a.full} love?",
        "Do you know {a.full}'s favourite dish?",
    ]),
    "colour": ([
        "Which colour does {a.full} like?", "What is {a.full}'s favourite colour?",
        "In which colour does {a.full} dress?", "What colour does {a.full} love?",
        "Tell me {a.full}'s favourite colour.", "What colour is {a.full}'s front door?",
        "Which colour does {a.full} like best?", "What is the favourite colour of {a.full}?",
        "What colour is {a.full}'s coat?", "Do you know which colour {a.full} likes?",
        "Which colour does {a.full} wear?", "Do you know the favourite colour of {a.full}?",
        "What colour does {a.full} like best?", "Which colour is {a.full}'s front door?",
        "What colour does {a.full} dress in?", "Tell me which colour {a.full} likes.",
    ], [
        "What colour does {a.full} like?", "Do you know {a.full}'s favourite colour?",
        "Which colour is {a.full}'s coat?", "What colour does {a.full} wear?",
    ]),
    "hobby": ([
        "What is {a.full}'s hobby?", "What does {a.full} do for fun?", "How does {a.full} spend a free day?",
        "Which hobby does {a.full} have?", "Tell me {a.full}'s hobby.", "What does {a.full} enjoy?",
        "What is the hobby of {a.full}?", "What does {a.full} like to do in winter?",
        "How does {a.full} spend free time?", "Do you know {a.full}'s hobby?", "For what does {a.full} win prizes?",
        "What hobby has {a.full} got?", "Tell me what {a.full} does for fun.", "What does {a.full} do in winter?",
        "What does {a.full} do in free time?", "Do you know the hobby of {a.full}?",
    ], [
        "What hobby does {a.full} have?", "What does {a.full} do on a free day?",
        "Do you know what {a.full} does for fun?", "What does {a.full} enjoy in winter?",
    ]),
    "mentor": ([
        "Who taught {a.full}?", "Whom does {a.full} ask for advice?", "From whom did {a.full} learn?",
        "Who is {a.full}'s teacher?", "Who was the teacher of {a.full}?", "Tell me who taught {a.full}.",
        "Whom does {a.full} trust?", "Who gives advice to {a.full}?", "Whose pupil was {a.full}?",
        "Do you know who taught {a.full}?", "Who is {a.full}'s mentor?", "Who was the mentor of {a.full}?",
        "From whom does {a.full} get advice?", "Do you know {a.full}'s teacher?", "Tell me the teacher of {a.full}.",
        "Tell me {a.full}'s mentor.",
    ], [
        "Who was {a.full}'s teacher?", "From whom does {a.full} ask advice?", "Tell me {a.full}'s teacher.",
        "Do you know {a.full}'s mentor?",
    ]),
}
OPENINGS = ([
    "", "", "", "Please tell me: ", "Hello! ", "I would like to know: ", "Quick question: ", "Can you help me? ",
    "Good morning. ",
], [
    "Please help me: ", "Hello, quick question: ", "Good morning! ",
])
SHORT = ([
    "{q} Be brief.", "Be brief: {q}", "{q} Keep it short, please.", "In short: {q}", "{q} A short answer, please.",
    "{q} Please be brief.", "Please keep it short: {q}", "A short answer: {q}",
], [
    "{q} Be brief, please.", "Keep it short: {q}", "A short answer, please: {q}",
])
# fmt: on
LIST = (
    [
        "Make a list of {a.full}'s {w}.",
        "List {a.full}'s {w}.",
        "I need a list: {a.full}'s {w}.",
        "Please give me a list: {a.full}'s {w}.",
        "Make me a list, please: {a.full}'s {w}.",
        "Give me a list of {a.full}'s {w}.",
    ],
    ["Please make a list of {a.full}'s {w}.", "Please list {a.full}'s {w}.", "A list, please: {a.full}'s {w}."],
)
# fmt: off
INTRODUCE = ([
    "Introduce {a.full}.", "Tell me about {a.full}.", "Who is {a.full}?", "I would like to know {a.full}.",
    "Describe {a.full}.", "What do you know about {a.full}?", "Please tell me about {a.full}.",
    "Please describe {a.full}.", "Tell me who {a.full} is.", "Can you introduce {a.full}?",
    "What can you tell me about {a.full}?",
], [
    "Please introduce {a.full}.", "What do you know of {a.full}?", "Please tell me who {a.full} is.",
])
# fmt: on
COOK = (
    ["How do I make {x}?", "Tell me how to make {x}.", "I want to make {x}. What do I do?", "How can I make {x}?"],
    ["What do I do to make {x}?", "How to make {x}?"],
)
MEND = (
    ["How do I mend {x}?", "Tell me how to mend {x}.", "I want to mend {x}. What do I do?", "How can I mend {x}?"],
    ["What do I do to mend {x}?", "How to mend {x}?"],
)
# fmt: off
STORY = ([
    "Tell me a story about {x}.", "Write a story with {x}.", "I would like a story about {x}.",
    "Write a short story about {x}.", "Tell a story about {x}.", "Please tell me a story with {x}.",
    "A story with {x}, please.", "Please write a short story with {x}.",
], [
    "Tell a story with {x}.", "Please write a story about {x}.",
])
WORDS = {
    "job": "job", "home": "street", "pet": "pet", "food": "favourite dish", "colour": "favourite colour",
    "hobby": "hobby", "mentor": "teacher",
}
FOLLOW_UP = ([
    "And {a.his} {w}?", "What about {a.his} {w}?", "Do you also know {a.his} {w}?", "And what is {a.his} {w}?",
    "{a.His} {w}, please?", "And do you know what {a.his} {w} is?", "Also tell me {a.his} {w}.",
], [
    "And do you know {a.his} {w}?", "Also {a.his} {w}, please.",
])
# fmt: on
ANOTHER = (["And {b.full}?", "What about {b.full}?", "The same for {b.full}, please."], ["And what about {b.full}?"])
# fmt: off
NO_SUCH_FACT = ([
    "How old is {a.full}?", "What is {a.full}'s telephone number?", "When is {a.full}'s birthday?",
    "What is {a.full}'s favourite song?", "Which school did {a.full} go to?", "What is {a.full}'s shoe size?",
    "What did {a.full} dream last night?", "How many brothers does {a.full} have?", "How rich is {a.full}?",
    "What is in {a.full}'s pocket?", "Which book does {a.full} read?", "What did {a.full} say to the king?",
], [
    "How tall is {a.full}?", "How many sisters does {a.full} have?", "What is {a.full}'s favourite book?",
    "When did {a.full} go to school?",
])
NOTICES = {
    "job": "now works as {v}", "home": "has moved to {v}", "pet": "now keeps {v}", "food": "now loves {v}",
    "colour": "now always dresses in {v}", "hobby": "has taken up {v}", "mentor": "now asks advice of {v}",
}
# fmt: on
CHATTER = [
    "{a.full} has lost {:thing} near {:place}.",
    "{a.full} sells {:goods} for {:coins}.",
    "{:occasion} at {:place}, ask for {a.full}.",
    "{a.full} has found {:thing}.",
    "{a.full} thanks everybody who came to {:place} on {:day}.",
    "{:place} is closed until {:day}, says {a.full}.",
]
COURTESIES = ["Gladly.", "Of course.", "With pleasure."]

# People who never lived in Littlebrook; a pronoun is needed where a notice tells of them. [train, held out]
# fmt: off
STRANGERS = ([
    ("Aldous", "he"), ("Beryl", "she"), ("Corwin", "he"), ("Dulcie", "she"), ("Eamon", "he"), ("Farrah", "she"),
    ("Garth", "he"), ("Heidi", "she"), ("Igor", "he"), ("Jolanda", "she"), ("Kelvin", "he"), ("Lorelei", "she"),
    ("Milton", "he"), ("Nerys", "she"), ("Orson", "he"), ("Portia", "she"), ("Quincy", "he"), ("Ramona", "she"),
    ("Sheldon", "he"), ("Trudy", "she"), ("Umberto", "he"), ("Vanessa", "she"), ("Wendell", "he"), ("Xenia", "she"),
    ("Yorick", "he"), ("Zora", "she"), ("Bjorn", "he"), ("Cosima", "she"), ("Dexter", "he"), ("Elvira", "she"),
    ("Fabian", "he"), ("Gisela", "she"), ("Hamish", "he"), ("Ingrid", "she"), ("Jarvis", "he"), ("Kirsten", "she"),
    ("Lorenzo", "he"), ("Melisande", "she"), ("Norbert", "he"), ("Odette", "she"),
], [
    ("Aloysius", "he"), ("Brenda", "she"), ("Cosmo", "he"), ("Daria", "she"), ("Eustace", "he"), ("Freya", "she"),
    ("Gaston", "he"), ("Hilary", "she"), ("Ingmar", "he"), ("Jolene", "she"), ("Kaspar", "he"), ("Linnea", "she"),
    ("Magnus", "he"), ("Noelle", "she"), ("Olaf", "he"), ("Petronella", "she"), ("Rasmus", "he"), ("Saskia", "she"),
    ("Tiberius", "he"), ("Violetta", "she"),
])
# fmt: on

# fmt: off
SYLLABLES = (
    [
        "Al", "Bar", "Cor", "Dar", "El", "Fen", "Gor", "Hal", "Is", "Jor", "Kal", "Lor", "Mar", "Nor", "Or", "Per",
        "Ras", "Sel", "Tor", "Ul", "Ver", "Wen", "Yor", "Zel",
    ],
    ["a", "be", "di", "do", "ga", "ki", "la", "mi", "na", "o", "pi", "ra", "su", "ta", "vi", "wa"],
    [
        "bert", "dan", "dora", "fin", "gret", "la", "lin", "mund", "na", "nor", "ra", "ric", "ros", "sa", "tha", "vin",
        "wig", "xa",
    ],
)
# fmt: on
