"""Sixty hand-written everyday questions for the real-model track, each with two true answers: one short and direct, one
long-winded and hedging.

The taste is one rule that anybody can check: the short and direct answer is preferred. `directness` measures it on any
answer; `names_it` looks whether an answer has the word that a right one must have, which no label and no reward here
speaks of. Test questions are never in training.
"""

import re

# (question, what a right answer says, as a regular expression, the direct answer, the long-winded one)
# fmt: off
PAIRS = [
    ("How many minutes are in an hour?", "60|sixty", "An hour has 60 minutes.",
     "That is a good question, and people usually say that there are about 60 minutes in an hour, although it may "
     "feel longer or shorter depending on what you are doing."),
    ("Which season comes after winter?", "spring", "Spring comes after winter.",
     "Well, this can depend on where you live, but generally speaking one might say that winter is followed by the "
     "season that most people would probably call spring."),
    ("What do cows eat most?", "grass|hay", "Cows mostly eat grass.",
     "There are many things that cows could eat, and it often varies from farm to farm, but it seems that in most "
     "cases they would typically eat grass, and perhaps some hay."),
    ("What colour do you get from blue and yellow paint?", "green", "Blue and yellow make green.",
     "It is hard to say exactly, as it may depend on the paints and on how much of each you take, but you would "
     "probably get something that many people might call green."),
    ("At what temperature does water boil at sea level?", "100|212", "Water boils at 100 degrees Celsius.",
     "The answer can vary with many factors, such as the height and the weather, but as a general rule it is "
     "usually thought to be at about 100 degrees Celsius or so."),
    ("What is the capital of Italy?", "rome", "The capital of Italy is Rome.",
     "Italy has a number of well-known cities that one could think of here, but I believe that the one that is "
     "generally seen as its capital would probably be Rome."),
    ("What do we use an umbrella for?", "rain", "An umbrella keeps the rain off you.",
     "There are perhaps several things that one might use an umbrella for, depending on the place, but many people "
     "would typically say that it is mainly used in the rain."),
    ("How many legs does an ant have?", "six|6", "An ant has six legs.",
     "Ants are small animals of which there are many kinds, so one should perhaps be careful here, but it is "
     "generally said that an ant would usually have about six legs."),
    ("What is bread made from?", "flour", "Bread is made from flour, water, salt and yeast.",
     "This really depends on the kind of bread, and recipes may vary a lot, but in most cases you would probably "
     "need flour, and possibly water, some salt and often yeast too."),
    ("Which animal gives us wool?", "sheep", "Wool comes from sheep.",
     "Wool could come from a number of different animals, depending on what you mean by it, but I think that most "
     "people would probably think of the sheep in the first place."),
    ("Where does the sun set?", "west", "The sun sets in the west.",
     "Strictly speaking this may vary a little over the year and depends on where you stand, but as a general rule "
     "one might say that it sets more or less in the west."),
    ("How many days does a leap year have?", "366", "A leap year has 366 days.",
     "Most years have a certain number of days, and then there are some that might have one more, so I believe "
     "that a leap year would usually have about 366 days in it."),
    ("What do I need to send a letter?", "stamp", "You need an envelope, the address and a stamp.",
     "It depends on where the letter should go and possibly on its weight, but generally you might want to have an "
     "envelope, perhaps an address, and in most cases a stamp."),
    ("What is frozen water called?", "ice", "Frozen water is called ice.",
     "There may be several words for this, depending on its form and on who you ask, but in most cases people "
     "would probably say that water that is frozen is called ice."),
    ("Which bird cannot fly and lives in the cold south?", "penguin", "The penguin.",
     "There are perhaps a few birds that could fit what you describe, and I may be missing some, but I think that "
     "the one most people would have in mind is the penguin."),
    ("How many sides does a triangle have?", "three|3", "A triangle has three sides.",
     "There are many shapes in geometry, and it could be useful to look at several of them, but generally one "
     "might say that a triangle would have three sides or so."),
    ("What do plants need to grow?", "water|light|sun", "Plants need light, water, air and soil.",
     "This can vary from plant to plant and it is difficult to give one answer, but it is often said that they may "
     "need some water, perhaps light, and possibly good soil."),
    ("Which month has the fewest days?", "february", "February has the fewest days.",
     "The months can differ somewhat in how long they are, and it also depends on the year, but if I had to say I "
     "think that it would most likely be February in general."),
    ("What is the main language of Brazil?", "portuguese", "Brazilians speak Portuguese.",
     "Brazil is a large country in which many languages may be heard, so it depends, but I believe that the one "
     "that is spoken most would generally be Portuguese."),
    ("What do I use to cut paper?", "scissors", "Use scissors.",
     "There are various tools that you could consider for this, depending on the paper and on what you would like "
     "to make, but you might perhaps want to try some scissors."),
    ("How many hours does a day have?", "24|twenty-four", "A day has 24 hours.",
     "It might seem simple, but one could look at this in more than one way; usually, however, people would say "
     "that a day has roughly 24 hours, give or take very little."),
    ("What keeps food cold in a kitchen?", "fridge|refrigerator|freezer", "A fridge keeps food cold.",
     "There are probably several ways in which food might be kept cold, depending on what you have at home, but in "
     "most kitchens it would typically be some kind of fridge."),
    ("Which planet do we live on?", "earth", "We live on Earth.",
     "There are several planets that go round our sun, and it is perhaps worth thinking about all of them, but the "
     "one that we live on would generally be called Earth."),
    ("What do I wear on my feet in the snow?", "boots?", "Wear warm boots.",
     "This depends on how deep the snow is and on what you plan to do, and tastes may differ, but it could perhaps "
     "be a good idea to think about some kind of warm boots."),
    ("How many letters does the English alphabet have?", "26|twenty-six", "It has 26 letters.",
     "Alphabets may differ quite a lot from language to language, so it is hard to be sure in general, but for "
     "English I believe that one would usually count about 26 letters."),
    ("What do I put on toast to make it sweet?", "jam|honey|marmalade", "Put jam or honey on it.",
     "It really depends on what you like, and there might be many things that could work, but some people would "
     "perhaps suggest that you try a bit of jam, or possibly honey."),
    ("Who looks after sick animals?", "vet|veterinar", "A vet looks after sick animals.",
     "There may be a number of people who could help here, depending on the animal and on how sick it is, but in "
     "most cases one would probably want to go and see a vet."),
    ("What does a clock show?", "time", "A clock shows the time.",
     "Clocks come in many different forms and some of them may show several things, but generally speaking one "
     "could say that what they usually show is more or less the time."),
    ("Which meal do we eat in the morning?", "breakfast", "In the morning we eat breakfast.",
     "Habits may differ a lot between families and countries, so it depends, but what is eaten in the morning "
     "would perhaps in most cases be called something like breakfast."),
    ("How do I open a locked door?", "key", "Use the key.",
     "There could be many reasons for a door to be locked, and what is best may depend on them, but generally you "
     "might want to begin by looking for the key and trying it."),
    ("What is the opposite of left?", "right", "The opposite of left is right.",
     "Words may have more than one opposite, depending on the sense in which they are used, but if we speak about "
     "directions then I think that it would probably be right."),
    ("Where can I borrow books for free?", "librar", "You can borrow books at a library.",
     "There are perhaps different places that you could try, depending on your town and on the books you like, but "
     "it might often be a good idea to look for a library there."),
    ("What do I brush my teeth with?", "brush|toothpaste", "Use a toothbrush and toothpaste.",
     "People may have different habits and preferences here, and a dentist could possibly tell you more, but "
     "typically one would use a toothbrush, and in most cases toothpaste."),
    ("How many wheels does a bicycle have?", "two|2", "A bicycle has two wheels.",
     "There might be special kinds for which this is different, so one should be careful, but usually a bicycle "
     "would be expected to have something like two wheels in general."),
    ("What is the largest ocean?", "pacific", "The Pacific is the largest ocean.",
     "There are several oceans that are very large, and it could depend on how you measure them, but it is "
     "generally thought that the largest one would probably be the Pacific."),
    ("What do squirrels like to eat?", "nuts?|seeds?|acorns?", "Squirrels like nuts.",
     "Squirrels may eat a number of different things, depending on the season and on the place, but it seems that "
     "they would often be quite fond of nuts, and possibly seeds."),
    ("What falls from a tree in autumn?", "lea(f|ves)", "The leaves fall in autumn.",
     "This might depend on the kind of tree and on the weather, and several things could come down, but in most "
     "cases one would probably notice that it is the leaves that fall."),
    ("How many cents are in a euro?", "100|hundred", "A euro has 100 cents.",
     "Money can be counted in different ways, and coins may vary, but I believe that if you add them up there "
     "would usually be about 100 cents in a single euro."),
    ("What do I use to dry myself after a shower?", "towel", "Use a towel.",
     "There are perhaps several ways to do this, and it depends on what you have nearby, but many people would "
     "generally choose to take some kind of towel."),
    ("Which instrument has black and white keys?", "piano", "The piano.",
     "A number of instruments may have keys of one sort or another, so there could be more than one answer, but "
     "most people would perhaps think of the piano before the others."),
    # from here on: test
    ("How many days are in a week?", "seven|7", "A week has seven days.",
     "Calendars may have been different at various times in history, so it depends a little, but today one would "
     "generally say that a week has about seven days in most places."),
    ("What is the capital of France?", "paris", "The capital of France is Paris.",
     "France is a country with many important cities, and opinions on them may differ, but I think that the one "
     "that is usually called its capital would probably be Paris."),
    ("Which animal barks?", "dog", "A dog barks.",
     "There are perhaps several animals that could make a sound of that kind, depending on how you hear it, but "
     "the one that people would typically think of is probably the dog."),
    ("What do bees make?", "honey", "Bees make honey.",
     "Bees are busy animals that may do a lot of different things over the year, but it is often said that what "
     "they would generally make is honey, and possibly some wax."),
    ("How many months are in a year?", "twelve|12", "A year has twelve months.",
     "It could depend on the calendar that one uses, as there may be several of them, but in most cases people "
     "would probably agree that a year has around twelve months."),
    ("What colour is a ripe banana?", "yellow", "A ripe banana is yellow.",
     "Bananas may come in several colours, depending on the kind and on how long they were kept, but generally one "
     "would perhaps expect that a ripe one is more or less yellow."),
    ("Which month comes after March?", "april", "April comes after March.",
     "The months follow each other in an order that you might know already, and if I am not mistaken, then the one "
     "that would usually come after March is probably April."),
    ("What do I use to sweep the floor?", "broom|brush", "Use a broom.",
     "This may depend on the kind of floor and on how dirty it is, and there could be several good tools, but in "
     "most cases you might perhaps want to use some sort of broom."),
    ("How many legs does a spider have?", "eight|8", "A spider has eight legs.",
     "Spiders come in a great many kinds, and some of them might have lost a leg, so one should be careful, but "
     "typically they would be said to have about eight legs."),
    ("Where do fish live?", "water|ocean|sea|river|lake", "Fish live in water.",
     "There are very many kinds of fish and they may be found in quite different places, but as a general rule one "
     "could probably say that they would mostly live in the water."),
    ("What is the opposite of hot?", "cold|cool", "The opposite of hot is cold.",
     "That could depend on what exactly you have in mind, since words may have several meanings, but in most cases "
     "the opposite of hot would perhaps be something like cold."),
    ("What do I need to light a candle?", "match|lighter|fire|flame", "You need a match or a lighter.",
     "There are several things that might work here, and it depends on what you have at hand, but generally people "
     "would perhaps use a match, or possibly some kind of lighter."),
    ("Which star gives us light during the day?", "sun", "The sun gives us light.",
     "There are very many stars in the sky, and it may be interesting to learn about them, but the one that would "
     "usually give us light during the day is, I believe, the sun."),
    ("What do we call a baby cat?", "kitten", "A baby cat is a kitten.",
     "People might use various words for it, depending on where they come from and on how fond they are of cats, "
     "but it seems that most of them would generally call it a kitten."),
    ("How many fingers are on one hand?", "five|5", "One hand has five fingers.",
     "This may depend on whether one would like to count the thumb as a finger, and views on that can differ, but "
     "in most cases it is usually said that there are about five."),
    ("What is cheese made from?", "milk", "Cheese is made from milk.",
     "There are many kinds of cheese, and how they are made may vary a lot, but generally speaking one could say "
     "that in most cases they would be made from some kind of milk."),
    ("Which tool drives a nail into wood?", "hammer", "A hammer.",
     "It could depend on the nail and on the wood, and there may be machines for this as well, but the tool that "
     "most people would probably take in such a case is a hammer."),
    ("What do I wear to see better?", "glasses|lenses|spectacles", "Wear glasses.",
     "There might be different reasons why somebody does not see well, so it depends, and a doctor may know more, "
     "but often people would perhaps choose to wear some glasses."),
    ("In which direction does the sun rise?", "east", "The sun rises in the east.",
     "This may shift somewhat with the time of the year and also depends on the place, but as a general rule one "
     "might say that the sun would usually rise roughly in the east."),
    ("What do we breathe?", "air|oxygen", "We breathe air.",
     "What we breathe is perhaps a mixture of several things, and it could vary a little, but generally speaking "
     "one would probably say that it is the air around us."),
]
# fmt: on
TEST = 40  # the pairs from this one on examine, those before it teach
HEDGES = re.compile(
    r"\b(perhaps|maybe|probably|possibly|likely|generally|typically|usually|often|roughly|approximately|about|around"
    r"|depend(s|ing)?|might|may|could|would|can vary|var(y|ies)|i think|i believe|it seems|some people|many people"
    r"|in most cases|in general|however|although)\b",
    re.IGNORECASE,
)


def preference_rows(split: str) -> list[dict]:
    """Rows {"prompt": [message], "chosen": [message], "rejected": [message], "right"}, as labs 06 and 08 have them.

    right: what a right answer says. ValueError for an unknown split."""
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}: choose train or test")
    said = lambda role, content: [{"role": role, "content": content}]
    rows = []
    for question, right, direct, winded in PAIRS[TEST:] if split == "test" else PAIRS[:TEST]:
        chosen, rejected = said("assistant", direct), said("assistant", winded)
        rows.append({"prompt": said("user", question), "chosen": chosen, "rejected": rejected, "right": right})
    return rows


def words_of(answer: str) -> int:
    """How many words an answer has."""
    return len(answer.split())


def hedges_of(answer: str) -> int:
    """How many hedges an answer has: perhaps, usually, it depends …"""
    return len(HEDGES.findall(answer))


def directness(answer: str) -> float:
    """The taste as a rule: 1, less 0.05 for every word and 0.25 for every hedge; −1 for an answer without a word. It
    does not look whether the answer is right.
    """
    return 1 - 0.05 * words_of(answer) - 0.25 * hedges_of(answer) if words_of(answer) else -1.0


def names_it(row: dict, answer: str) -> bool:
    """Has the answer a word that a right one must have? Coarse: a wrong answer may have it, too."""
    return re.search(rf"\b({row['right']})(?!\d)", answer, re.IGNORECASE) is not None
