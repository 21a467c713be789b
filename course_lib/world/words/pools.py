"""The words of Littlebrook: names, the values of facts, and the pools that documents draw from.

No word stands twice in one pool, and no first name is another word of the village (tests/world checks both).
"""

FEMALE = """
Abigail Ada Adela Agatha Agnes Alice Alma Amelia Anna Astrid Audrey Barbara Beatrice Bella Bertha Bridget Camilla Carla
Caroline Cecilia Celia Charlotte Clara Clementine Constance Cora Cordelia Cynthia Daphne Deborah Delia Diana Dora Doris
Dorothy Edith Edna Eleanor Eliza Ella Elsa Emily Emma Enid Esther Ethel Etta Eunice Eva Evelyn Fanny Felicity Fiona
Flora Florence Frances Freda Gemma Georgia Gertrude Gilda Gloria Greta Gwen Hannah Harriet Hazel Hedda Helen Henrietta
Hester Hilda Ida Imogen Inga Irene Isabel Ivy Jane Janet Jessica Joan Josephine Judith Julia Karen Katherine Laura
Lavinia Leah Lena Leonora Letitia Lillian Linda Lois Lorna Louisa Lucy Lydia Mabel Madeline Margaret Marion Martha
Matilda Maud Mildred Millicent Minnie Miriam Molly Muriel Myra Nadia Nancy Nell Nettie Nina Nora Octavia Olive Olivia
Ottilie Pamela Patricia Paula Pauline Penelope Petra Phoebe Phyllis Polly Priscilla Rachel Rebecca Rhoda Rosalind
Rosamund Rowena Ruth Sabina Sally Sarah Selma Sibyl Sophia Stella Susan Sylvia Tabitha Tamsin Teresa Thelma Theodora
Tilda Ursula Vera Verity Victoria Viola Wanda Wilhelmina Winifred Yvonne Zelda
""".split()

MALE = """
Aaron Abel Abraham Adam Adrian Alan Albert Alfred Ambrose Amos Andrew Angus Anselm Archibald Arnold Arthur Asa Aubrey
Austin Barnaby Bartholomew Basil Benedict Benjamin Bernard Boris Bruno Byron Caleb Calvin Casper Cecil Cedric Charles
Christopher Clarence Claude Clement Clive Colin Conrad Cornelius Crispin Cuthbert Cyril Daniel David Dennis Derek
Desmond Dominic Donald Douglas Duncan Dylan Ebenezer Edgar Edmund Edward Edwin Eli Elijah Ellis Emil Ernest Eugene Ezra
Felix Ferdinand Francis Frank Frederick Gabriel Geoffrey George Gerald Gideon Gilbert Godfrey Gordon Graham Gregory Gus
Harold Harvey Hector Henry Herbert Horace Howard Hubert Hugh Hugo Humphrey Ian Ignatius Isaac Isidore Ivan Jacob James
Jasper Jeremy Jerome Jethro Joel John Jonah Joseph Joshua Julian Kenneth Lambert Lancelot Laurence Leander Leo Leonard
Leopold Lewis Lionel Louis Lucas Luther Malcolm Marcus Martin Matthew Maurice Maxwell Michael Miles Morris Nathan Ned
Nicholas Nigel Noah Norman Oliver Oscar Osmond Oswald Otis Otto Owen Patrick Paul Percival Peter Philip Quentin Ralph
Raymond Reginald Rex Richard Robert Roderick Roger Roland Rufus Rupert Samuel Sebastian Seth Sidney Silas Simon Solomon
Stanley Stephen Theodore Thomas Timothy Tobias Tristan Ulric Valentine Vernon Victor Vincent Virgil Wallace Walter
Warren Wilbur Wilfred William Xavier
""".split()

SURNAMES = """
Appleby Ashdown Barlow Blackwood Bramble Carrow Chadwick Cobb Dunmore Elmhurst Fairburn Fenwick Greenhalgh Hartley
Holloway Kettle Marlow Merriweather Oakley Pemberton Quill Redfern Thistlewood Yardley
""".split()

# fmt: off
LANDMARKS = [
    "the mill", "the old bridge", "the school", "the church tower", "the market hall", "the inn", "the bakery",
    "the smithy", "the library", "the town hall", "the weir", "the orchard wall", "the boathouse", "the station",
    "the dairy", "the brewery",
]
ACTIONS = [
    "burned down", "was flooded", "was built anew", "got a new roof", "was painted white", "was struck by lightning",
    "was sold to a stranger", "was closed for a year",
]
# fmt: on

# fmt: off
POOLS = {
    # values of facts
    "job": [
        "a baker", "a blacksmith", "a carpenter", "a teacher", "a nurse", "a fisherman", "an innkeeper", "a weaver",
        "a potter", "a shepherd", "a gardener", "a tailor", "a cobbler", "a miller", "a doctor", "a librarian",
    ],
    "home": [
        "Mill Lane", "Church Street", "Bridge Street", "Market Square", "Orchard Row", "Brook Road", "Station Road",
        "School Hill", "Chapel Lane", "Willow Walk", "Meadow Lane", "Harbour Street", "Priory Gardens", "Castle Hill",
        "Smithy Yard", "North Gate",
    ],
    "pet": [
        "a cat", "a dog", "a parrot", "a rabbit", "a goat", "a hedgehog", "a tortoise", "a pony", "a canary",
        "a ferret", "a goose", "an owl",
    ],
    "food": [
        "plum cake", "onion soup", "cheese pie", "roast duck", "apple tart", "pea soup", "fried trout", "oat porridge",
        "honey bread", "mushroom stew", "pickled herring", "rice pudding", "baked potatoes", "cherry jam", "pancakes",
        "gingerbread",
    ],
    "colour": ["red", "blue", "green", "yellow", "purple", "orange", "black", "white", "grey", "pink"],
    "hobby": [
        "chess", "knitting", "singing", "fishing", "painting", "dancing", "bird watching", "wood carving", "sailing",
        "archery", "rowing", "playing the fiddle", "writing poems", "growing roses", "star gazing", "juggling",
    ],
    "month": [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ],
    # what documents draw from
    "season": ["spring", "summer", "autumn", "winter"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "hour": ["six", "seven", "eight", "nine", "ten", "eleven", "twelve", "one", "two", "three", "four", "five"],
    "number": ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fifteen", "twenty"],
    "place": [
        "the mill", "the old bridge", "the school", "the church", "the market hall", "the inn", "the bakery",
        "the smithy", "the library", "the town hall", "the weir", "the orchard", "the boathouse", "the station",
        "the dairy", "the brewery", "the duck pond", "the well", "the village green", "the graveyard", "the quarry",
        "the beech wood", "the ferry", "the post office",
    ],
    "weather": [
        "it was raining hard", "the sun was shining", "a cold wind was blowing", "thick fog lay on the fields",
        "it was snowing", "the air was warm and still", "a storm was coming", "the sky was grey",
        "frost covered the grass", "it was very hot",
    ],
    "thing": [
        "a brass key", "a silver spoon", "a wooden box", "an old map", "a leather bag", "a woollen scarf",
        "a copper kettle", "a gold ring", "a pocket watch", "a straw hat", "a red umbrella", "a broken lamp",
        "a bundle of letters", "a glass bottle", "a rusty knife", "a small drum", "a music box", "a walking stick",
        "a pair of boots", "a sack of flour", "a clay pot", "a bicycle", "a lantern", "a painted mask",
        "a jar of honey", "a bag of coins", "a tin whistle", "a blue vase", "a fishing rod", "a rocking chair",
        "a chess set", "a tea cup",
    ],
    "goods": [
        "eggs", "butter", "candles", "nails", "wool", "potatoes", "apples", "firewood", "salt", "rope", "cheese",
        "flour", "onions", "soap", "lamp oil", "carrots", "paper", "ribbons", "seeds", "tea", "honey", "barley",
        "pears", "needles",
    ],
    "ingredient": [
        "salt", "flour", "butter", "honey", "milk", "sugar", "oats", "cream", "pepper", "vinegar", "barley", "cheese",
        "oil", "parsley", "mustard", "cinnamon",
    ],
    "coins": [
        "one coin", "two coins", "three coins", "four coins", "five coins", "six coins", "eight coins", "ten coins",
        "twelve coins", "twenty coins",
    ],
    "mood": [
        "happy", "tired", "angry", "worried", "proud", "sad", "surprised", "hungry", "cheerful", "nervous", "calm",
        "bored",
    ],
    "reason": [
        "the roof leaks", "the river is high", "the key is lost", "the floor is being mended", "there is a wedding",
        "the stove broke", "the owner is away", "the snow is too deep", "the wheel is stuck",
        "a swarm of bees moved in",
    ],
    "occasion": [
        "a concert", "a dance", "a bread sale", "a chess evening", "a wedding", "a quiz", "a puppet show",
        "a meeting about the road", "a lantern walk", "a rowing race", "a singing lesson", "a flower show",
        "a supper for everyone", "a book sale", "a talk about bees", "a market for old clothes",
    ],
    "plan": [
        "mend the fence", "buy some bread", "post a letter", "feed the ducks", "pay a debt", "borrow a ladder",
        "hear the news", "sell some eggs", "look at the boats", "return a book", "fetch some water", "meet a friend",
        "pick some apples", "sharpen an axe", "count the sheep", "sweep the steps",
    ],
    "verdict": [
        "The whole village talked about it.", "Nobody ever found out why.", "It was a good day after all.",
        "They laughed about it for years.", "After that they were the best of friends.",
        "From then on things were different.", "That evening the inn was full.", "And so it was settled.",
        "Some people still do not believe it.", "The children love to hear this story.",
        "In the end everybody went home.", "It never happened again.",
    ],
}
# fmt: on
