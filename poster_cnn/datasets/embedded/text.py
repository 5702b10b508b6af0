"""Titles, people, plots, keywords and word vectors of the embedded dataset, all of them invented."""

import collections
import itertools
import random
import re

# genre | people | their actions | things | words of titles
_VOCABULARY = """
Action | a former agent, a stunt driver, a disgraced soldier, a bomb expert | chases the hijackers through exploding
  streets, fights his way out of a burning tower, storms the fortress with stolen rifles | bombs, helicopters,
  explosives, gunfire | Strike, Fury, Overdrive, Impact
Adventure | a map maker, a young explorer, a ship captain, a treasure hunter | crosses the uncharted jungle in search of
  treasure, sails past the edge of every map, climbs the frozen mountain with a broken compass | treasure, jungle,
  expedition, island | Voyage, Expedition, Island, Compass
Animation | a talking fox, a brave little robot, a singing turtle, a clumsy penguin | teaches the forest animals to fly,
  paints the moon with her magic crayon, escapes from the toy factory | toys, penguins, cartoon, forest animals |
  Whiskers, Puddle, Acorn, Bubble
Biography | a young inventor, a famous poet, a fearless nurse, the painter of the century | rises from poverty to
  lasting fame, writes the memoirs that made her famous, remembers his childhood and his first invention | memoirs,
  fame, invention, childhood | Portrait, Memoirs, Poet, Letters
Comedy | a hopeless waiter, a lazy roommate, a clumsy cousin, a nervous wedding planner | ruins the party with a silly
  prank, pretends to be a millionaire for a bet, loses the dog of his new boss | pranks, parties, roommates, jokes |
  Roommate, Trouble, Uncle, Pancake
Crime | a crooked banker, a gangster boss, a weary detective, a safe cracker | robs the casino with a gang of thieves,
  covers up a murder for the mob, hides the stolen diamonds from the police | gangsters, robbery, police, diamonds |
  Alibi, Syndicate, Heist, Verdict
Documentary | a film crew, the last eyewitness, a team of scientists, an investigative reporter | interviews the workers
  of a closed factory, follows the melting glaciers with hidden cameras, opens the archive of forgotten footage |
  interviews, footage, archives, testimony | Footage, Archive, Witness, Report
Drama | a widowed teacher, an estranged father, a grieving mother, a troubled student | struggles with the loss of her
  son, returns to the village to face his dying father, learns to forgive the sister who left | grief, forgiveness,
  silence, illness | Silence, Harvest, Shore, Winter
Family | a stubborn grandmother, the boy next door, a lost puppy, a kind farmer | saves the school holiday with a
  homemade kite, brings the puppy home for the birthday, builds a tree house for the whole family | puppies, holidays,
  grandparents, school | Puppy, Holiday, Treehouse, Kite
Fantasy | a young wizard, an exiled queen, a dragon rider, an old witch | breaks the curse of the enchanted sword,
  guards the last dragon of the kingdom, opens the gate to a magic realm | dragons, wizards, curses, kingdoms | Dragon,
  Crown, Spell, Realm
History | a rebel prince, a court scribe, an emperor, a peasant leader | defends the empire against the revolution,
  witnesses the fall of the old dynasty, carries the secret treaty to the palace | empires, treaties, revolution, throne
  | Empire, Treaty, Dynasty, Throne
Horror | a ghost, a masked killer, a haunted doll, a cursed nun | haunts the cellar of the abandoned asylum, drags
  screaming teenagers into the dark woods, wakes the dead beneath the cemetery | ghosts, blood, screams, demons | Claws,
  Cellar, Scream, Grave
Music | a street drummer, a shy pianist, a punk band, an aging guitarist | records a song that the radio refuses, plays
  the guitar in every smoky club, takes the band on a last tour | songs, guitars, concerts, radio | Melody, Encore,
  Rhythm, Chorus
Musical | a chorus girl, a tap dancer, a struggling composer, an opera diva | dances through the rain on opening night,
  sings her way from the chorus to the stage, turns the empty theater into a show | dancing, theater, stage, costumes |
  Footlights, Dancing, Overture, Cabaret
Mystery | an amateur sleuth, a missing heiress, a stranger with no memory, a curious librarian | follows the clues to a
  locked room, decodes the letter of a vanished woman, questions every guest of the old mansion | clues, riddles,
  disappearance, mansion | Riddle, Cipher, Stranger, Clue
News | a news anchor, a war correspondent, a night editor, a press photographer | reads the headlines of a restless
  year, covers the election from a broken van, prints the story that the paper buried | headlines, elections, broadcast,
  press | Headlines, Bulletin, Broadcast, Column
Romance | a lonely florist, a charming stranger, a runaway bride, her childhood sweetheart | falls in love during a
  summer wedding, kisses the wrong man under the bridge, writes love letters that are never sent | love, kisses,
  weddings, flowers | Kiss, Sweetheart, Hearts, Roses
Sci-Fi | a rogue android, a space pilot, a lonely astronaut, a brilliant physicist | discovers an alien signal beyond
  the galaxy, travels through time in a damaged spaceship, wakes on a distant planet of robots | aliens, spaceships,
  galaxies, robots | Orbit, Android, Nebula, Signal
Short | a silent clown, a boy with a balloon, an old tailor, a single passenger | waits one minute for a train, folds a
  paper boat, misses the last bus | minutes, paper boats, balloons, buses | Minute, Sketch, Postcard, Button
Sport | an underdog boxer, a retired coach, a rookie pitcher, a stubborn goalkeeper | trains for the championship
  against all odds, leads the losing team to the final, wins the race with a broken ankle | championship, teams,
  stadium, training | Champion, Sprint, Season, Goal
Thriller | a hostage negotiator, a hunted witness, a paranoid hacker, an assassin | races to stop the conspiracy before
  midnight, receives threatening calls from a kidnapper, uncovers a deadly secret in the files | conspiracy, hostages,
  blackmail, ransom | Deadline, Pursuit, Threat, Ransom
War | a young lieutenant, a battlefield medic, a tank crew, a captured pilot | holds the bridge against the invading
  army, crosses the trenches under enemy fire, leads the platoon behind the front | trenches, army, battle, platoon |
  Trenches, Battalion, Bridge, Front
Western | a lonesome sheriff, an outlaw, a cattle rancher, a saloon singer | rides across the prairie for revenge, faces
  the outlaws at noon, drives the cattle through the canyon | outlaws, horses, saloon, prairie | Saloon, Canyon,
  Stagecoach, Gunslinger
"""

Words = collections.namedtuple("Words", "people deeds things titles")
_ENTRIES = [entry.split("|") for entry in re.sub(r"\n +", " ", _VOCABULARY.strip()).split("\n")]
WORDS = {
    genre.strip(): Words(*([item.strip() for item in field.split(",")] for field in fields))
    for genre, *fields in _ENTRIES
}

_PLACES = """Brackmoor, Orvane, Quillby, Tessaly, Dunmarrow, Velport, Hestwick, Olmira, Castrell, Vintersby,
Port Sabelle, Marrowgate, Lindevar, Ashgrove, Ostrel Bay, Kaldmere, Wexley Falls, Nordhaven, Crèvelune, Peñasol, Ålmund,
Düsterau, São Ilvar, Görvik""".replace("\n", " ").split(", ")
_TITLES = """The {word} of {place}, {word} over {place}, {place} {word}, {word} in {place}, No {word} in {place},
The {place} {word}, {place} and the {word}, Beyond {place}, Leaving {place}, Midnight {word} of {place},
{word} at {place} Station""".replace("\n", " ").split(", ")
_FIRST_NAMES = """Mara Ivo Tilda Oskar Juno Emeric Salka Dorian Pia Anselm Noor Caspian Liv Bruno Isaura Teo Wanda
Jory""".split()
_LAST_NAMES = """Vantrell Oskelund Brimmock Tarquist Delacord Fenwyck Ostervald Quennell Marchbane Sorrelli Halvick
Pemberro Zandovar Lintgard Corvelli Ashdowne Trevannick Bellarosa Grimsund Yarvick Montrevel Dunsmark""".split()
_OPENINGS = (
    "It begins on an ordinary morning in {place}.",
    "Nobody in {place} expects {name} to come back after all these years.",
    "After a long night on the road, {name} arrives in {place} with nothing but an old suitcase.",
    "Ten years ago {name} left {place} without a word.",
    "For {name} the summer in {place} was supposed to be quiet.",
    "One small decision turns the life of {name} upside down.",
)
_CLOSINGS = (
    "Before the week is over, nothing will be as it was.",
    "The price turns out to be higher than anyone had thought.",
    "Only one of them will be able to tell what really happened.",
    "And the clock on the wall keeps counting.",
    "What follows will change the town and everyone who lives there.",
    "In the end there is one door left to open.",
)
_SENTENCES = (
    "{person} {deed}.",
    "Meanwhile {person} {deed}, with {thing} never far away.",
    "Together with {person}, {name} learns about {thing} and {other}.",
    "It is a tale of {thing} and {other}, in which {person} {deed}.",
)
_LANGUAGES = [("English", "USA")] * 14 + [("English", "UK"), ("French", "France"), ("Spanish", "Spain")]
_RATINGS = {"Family": "G|G|PG", "Animation": "G|PG|PG", "Romance": "PG|PG-13|PG-13", "Horror": "R", "War": "R"}
_RATINGS |= {"Crime": "R|R|PG-13", "Thriller": "R|R|PG-13", "Documentary": "Not Rated|Not Rated|PG"}


def heard(genres, rng, share=0.8):
    """Return `genres`, each replaced by a random one with probability 1 - `share`."""
    return [genre if rng.random() < share else rng.choice(list(WORDS)) for genre in genres]


def make_title(genres, rng):
    """Return a title without year, such as "The Cellar of Brackmoor"; some have accents."""
    word = rng.choice(WORDS[rng.choice(heard(genres, rng, 0.7))].titles)
    return rng.choice(_TITLES).format(word=word, place=rng.choice(_PLACES))


def make_plot(genres, rng):
    """Return a plot of 30 to 60 words: sentences about its genres, and neutral ones."""
    while True:
        name, place = rng.choice(_FIRST_NAMES), rng.choice(_PLACES)
        sentences = [rng.choice(_OPENINGS).format(name=name, place=place)]
        sentences += [_genre_sentence(genre, name, rng) for genre in heard(genres, rng, 0.65)]
        closings = rng.sample(_CLOSINGS, len(_CLOSINGS))
        while len(" ".join(sentences).split()) < 30:
            sentences.append(closings.pop())
        plot = " ".join(sentences)
        if len(plot.split()) <= 60:
            return plot


def _genre_sentence(genre, name, rng):
    words = WORDS[genre]
    thing, other = rng.sample(words.things, 2)
    person, deed = rng.choice(words.people), rng.choice(words.deeds)
    sentence = rng.choice(_SENTENCES).format(person=person, deed=deed, thing=thing, other=other, name=name)
    return sentence[0].upper() + sentence[1:]


def make_people():
    """Return a dict from genre to (four directors, eleven actors); each person has one genre."""
    names = [f"{first} {last}" for first, last in itertools.product(_FIRST_NAMES, _LAST_NAMES)]
    random.Random("people").shuffle(names)
    return {genre: (names[15 * i : 15 * i + 4], names[15 * i + 4 : 15 * i + 15]) for i, genre in enumerate(WORDS)}


def make_metadata(genres, people, rng):
    """Return a row of `movie_metadata.csv`, except the plot, as a dict."""
    cast = []
    for genre in heard([rng.choice(genres) for _ in range(3)], rng, 0.65):
        cast.append(rng.choice([actor for actor in people[genre][1] if actor not in cast]))
    director = rng.choice(people[heard([rng.choice(genres)], rng, 0.7)[0]][0])
    ratings = _RATINGS.get(heard([rng.choice(genres)], rng)[0], "R|PG-13|PG").split("|")
    keywords = [rng.choice(WORDS[genre].things) for genre in heard(genres * 2, rng)]
    language, country = rng.choice(_LANGUAGES)
    return {
        "director_name": director,
        "actor_1_name": cast[0],
        "actor_2_name": cast[1],
        "actor_3_name": cast[2],
        "language": language,
        "country": country,
        "content_rating": rng.choice(ratings),
        "plot_keywords": "|".join(sorted(set(keywords))),
    }


def tokens(text):
    """Split a text into lower-case words, without punctuation."""
    return re.findall(r"[a-z]+", text.lower())


def word_vectors(plots, seed, size=25):
    """Return word vectors of `plots` in GloVe's text format, the most frequent word first.

    Words of one or two genres lie near the centers of these genres; all others are noise. Places, names and every
    fifteenth other word are missing, since no real vocabulary is complete.

    Args:
        plots: Texts.
        seed: Seed of the vectors.
        size: Dimension of the vectors. Defaults to 25.

    Returns:
        List of lines "word v1 v2 ...".
    """
    rng = random.Random(f"vectors {seed}")
    genres_of = collections.defaultdict(set)
    for genre, words in WORDS.items():
        for word in tokens(" ".join(words.people + words.deeds + words.things)):
            genres_of[word].add(genre)
    centers = {genre: [rng.random() * 2 - 1 for _ in range(size)] for genre in WORDS}
    names = set(tokens(" ".join(_PLACES + _FIRST_NAMES)))
    counts = collections.Counter(word for plot in plots for word in tokens(plot) if word not in names)
    lines = []
    for number, word in enumerate(sorted(counts, key=lambda word: (-counts[word], word))):
        near = sorted(genres_of[word]) if len(genres_of[word]) < 3 else []
        vector = [rng.random() - 0.5 for _ in range(size)]
        for genre in near:
            vector = [a + b / len(near) for a, b in zip(vector, centers[genre], strict=True)]
        if number % 15 != 14:
            lines.append(" ".join([word, *(f"{value:.5f}" for value in vector)]))
    return lines
