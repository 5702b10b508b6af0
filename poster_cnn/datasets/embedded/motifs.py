"""Motifs of posters, written in a small drawing language.

A motif is a list of statements separated by semicolons. A statement is a method of `Pen` with a color (`ink`, `accent`,
`light` or hexadecimal), numbers and points, or the name of another motif, with a color that replaces `ink` if needed.
Prefixes modify the rest of a statement: `3*` repeats it, `40%` executes it with this probability, `=` executes it once
more mirrored, and `@x,y:size` executes it in a box around (x, y) that is `size` percent as large. Anywhere, `-8~8` is a
random integer, `a|b` is a random choice, and `0..90/30` repeats the statement with 0, 30, 60 and 90.
"""

import functools
import re

_TEXT = """
# Horror
bat: poly ink 0,-10 12,-34 16,-12 60,-44 100,0 66,-8 50,16 26,4 0,34 -26,4 -50,16 -66,-8 -100,0 -60,-44 -16,-12
  -12,-34
haunted_house: ground ink 102; disc light 34,-42 44; 2~4* @-80~60,-95~-40:10~19 bat;
  poly ink -260,104 -160,92 -90,78 -40,66 30,64 90,80 160,94 260,104;
  poly ink -50,80 -50,-6 -60,-2 -34,-40 -12,-12 -12,-56 -20,-54 2,-98 24,-54 16,-56 20,-8 52,4 44,6 44,80;
  80% poly accent -40,6 -26,2 -26,24 -40,26; 80% poly accent -4,-40 8,-42 8,-22 -4,-20;
  80% poly accent 22,18 34,20 34,42 22,40; 80% box accent -6,44 8,80
claw: poly ink 32,-86 15,-6 -18,84 -3,8; poly accent 26,-90 9,-10 -24,80 -9,4
claws: @-62..64/42,-10~8:84~104 claw
skull: disc light 0,-22 66,68; poly light -42,20 42,20 34,80 -34,80; = disc ink 28,-16 20,22; = disc accent 28,-12 4~8;
  poly ink 0,12 10,32 -10,32; @-24..24/12,0 line ink 3 0,52 0,80
# Romance
couple: disc accent 0,-10 86; person ink -13~-11,96 150 hold; person ink 14~17,96 134 skirt;
  2~5* heart light -80~80,-98~-50 6~13
hug: person light -14,48 84 hold; person light 14,48 76 skirt
arrow: line light 5 -150,70 -40,14 40,-22 150,-80; poly light 150,-80 120,-84 136,-56
big_heart: heart light 4,2 98; heart accent 0,0 90; hug|arrow
rain: 24* @-140~130,-110~90 line light 1 0,0 -4,16
umbrella: rain; chord accent 0,-8 88 180 180; disc accent -58..58/58,-8 30,10; line ink 4 0,-98 0,20;
  person ink -20,98 104 hold; person ink 22,98 96 skirt; disc ink 0,98 70,4
# Action
explosion: star accent 0,-14 112 9~13 58 0~359; star light 0,-14 78 11 60 0~359; star fffff0 0,-14 44 9 62 0~359;
  9* star ink -115~115,-115~-10 4~10 3 50 0~359; person ink 0,104 118~139 run
slanted_hero: poly accent -160,130 -142~-132,130 20,-130 2~10,-130; poly light -90,130 -70~-62,130 90,-130 62~70,-130;
  poly accent -26,130 -6~0,130 154,-130 126~134,-130; person ink -6,104 186 aim;
  poly ink 52,-34 84,-36 84,-28 62,-26 60,-16 52,-16; star light 96,-32 12~21 7 40
car_chase: disc accent -20,-30 66; @-150~-60,-80..46/18 line light 3 0,0 40~109,-6;
  poly light 70,48 190,30 190,84 70,60; poly ink -92,66 -88,40 -46,34 -24,6 38,4 60,34 88,42 94,66;
  poly light -34,32 -18,13 2,12 2,31; poly light 12,12 34,12 46,32 12,31; @-54..52/106,66 wheel;
  box ink -150,86 150,92
wheel: disc ink 0,0 21; disc light 0,0 9
# Documentary
face: disc 3a342e 0,-20 40,50; poly 3a342e -75,100 -50,50 50,50 75,100
hills: poly 4a4640 -100,100 -50,-20~0 0,60 40,-60~-30 100,100
blocks: @-75..75/50,0 box 34322e -20,-60~60 20,100
moon: box 3c3832 -100,50 100,100; disc ebe4d2 -50~50,-30 25
photo: box 8c8478|6a6660|b4a894|9a7a5c|585450|a49a8c -97,-97 97,97; face|hills|blocks|moon
four_photos: @-51..51/102,-51..51/102:50 photo
nine_photos: @-68..68/68,-68..68/68:33 photo
photo_grid: box light -104,-104 104,104; four_photos|nine_photos
photo_and_text: box 8c8478|6a6660|b4a894|585450 -104,-104 104,30; @-30~30,-34:64 face|hills|blocks;
  box f4f2ec -104,30 104,106; @0,42..92/10 box 5a5a5c -92,0 20~93,4; box accent -104,26 104,31
microphone: disc accent 0,-20 96; disc light 0,-20 76; disc accent 0,-20 56; line ink 7 0,30 0,100;
  disc ink 0,100 44,6; disc ink 0,-34 30,34; poly ink -24,-14 24,-14 12,44 -12,44;
  @0,-54..-18/9 line light 2 -22,0 22,0
# Drama
lone_tree: ground ink 102; disc light -46,-46 26; poly ink -260,104 -200,84 -40,66 50,70 170,86 260,104;
  poly ink 28,74 34,10 30,-30 38,-30 44,6 52,74; line ink 3 0,-8 38,12 70,-22; line ink 3 -8,-46 38,0 84,-60;
  18* disc ink|ink|accent -12~86,-76~-2 12~22; person ink -48,80 50~73
profile: poly ink -4,-74 -36,-78 -74,-60 -92,-20 -90,40 -104,100 -30,100 -34,62 -14,60 -10,44 -14,36 -8,28 -12,20
  2,12 -10,-14 -6,-34
two_faces: profile; @8~17,12:-100 profile accent
window: box light -64,-96 64,60; person ink -24~24,66 84~115 stand|stand|skirt; = box ink 62,-100 70,64;
  box ink -70,-102 70,-94; box ink -3,-96 3,60; box ink -64,-30 64,-24; box ink -80,58 80,68;
  poly accent -96,-104 -50,-104 -66,-20 -84,72 -104,72
# Comedy
sunglasses: = poly ink 66,-34 6,-34 12,-2 56,-2; box ink -70,-36 70,-28
big_eyes: = disc light 32,-26 20,26; @-8~8,0 disc ink -32..32/64,-20 10
smiley: disc ink 0,0 90; disc accent 0,0 84; sunglasses|big_eyes; chord ink 0,14 56 0 180; disc d63c46 0,54 24,12
jumping_friends: person accent -62,56~99 100~131 cheer|run|skirt ecc4a4;
  person ink 0,56~99 100~131 cheer|run|skirt ecc4a4; person light 62,56~99 100~131 cheer|run|skirt ecc4a4;
  disc ink -62..62/62,104 28,4; 16* @-120~110,-110~0 box accent|light|ink 0,0 7,7
top_hat: poly ink 20,-76 72,-76 62,-80 62,-112 30,-112 30,-80
rubber_duck: @-90..90/30,84 disc light 0,-5~5 24,14; disc accent 40,40 48,44; disc accent 46,-40 44;
  poly accent -104,-4 -70,26 -40,20 60,12 84,40 70,84 -60,84 -92,50; poly ee8228 84,-50 122,-40 118,-24 84,-22;
  disc light 58,-54 13; disc ink 56~64,-54 6; disc ink -14,46 40,16; disc accent -14,40 40,16; 50% top_hat
# Crime
tower: box ink -20,-100 12~19,200; @-12..8/10,-90..80/17 35% box light 0,0 5,8
skyline: ground ink 102; @-224..224/30,10~100:84 tower; box ink -300,90 300,104;
  person accent -40~40,104 84~109 stand|aim
ridge: disc ink 0,0 74,100; disc light 0,0 65,88
fingerprint: @-3~3,-4:90..20/-23 ridge; line accent 9 -100,60 100,-70
shadow: poly accent -12,94 60,100 130,104 30,104 -30,98
lamp_post: ground ink 100; poly light -34,-70 -10,-70 60,96 -110,96; disc ink -24,96 96,8;
  line ink 4 70,96 70,-84 -20,-84; poly ink -36,-70 -8,-70 -16,-88 -28,-88; person ink -24,94 112;
  box ink -42,-8 -6,-4; box ink -34,-20 -14,-6; 60% shadow
# Thriller
passage: box ink -100,-100 100,100; box accent -83,-83 83,83
corridor: @0,0:102..34/-34 passage; box ink -17,-17 17,17; box light -14,-16 14,16;
  person light|ink|ink -4~4,18 32 run|stand
shards: pie ink|ink|accent|accent|light 0,0 112 0..330/30 24~29; disc ink 0,0 13
broken_glass: @-20~20,-20~20 shards
iris: disc accent 0,0 44; disc ink 0,0 24; disc light 9,-13 7
eye: chord light 0,70 122 215 110; chord light 0,-92 136 43 94; @-24~24,-4 iris; ray ink 3 0,12 74 98 200..340/14
# Adventure
bird: line ink 2 -9,-5 0,0 9,-5
mountains: ground ink 102; disc accent -30~49,-44 46; 4* @-90~80,-90~-40 bird;
  poly ink -260,104 -170,30 -140,56 -96,0 -66,34 -14,-52 40,24 72,-14 130,60 170,20 260,104;
  poly light -14,-52 -34,-18 -22,-24 -12,-12 0,-24 10,-18; poly light 72,-14 56,5 66,4 74,12 88,8;
  poly accent -8,104 -20,74 14,58 0,40 4,40 28,58 4,76 40,104; person light -56,98 44~61 cheer|stand|hold
sailing_ship: ground ink 98; disc light 20,-30 70; line ink 4 0,-96 0,40; poly accent 6,-88 64,-20 60,24 6,28;
  poly ink -6,-72 -60,20 -6,28; poly accent 0,-96 -26,-90 0,-84; poly ink -84,34 88,34 62,72 -56,72;
  @-270..270/30,0 disc accent -4~4,84 22,18; @-270..270/30,0 disc ink -4~4,100 22,18
# Mystery
footprints: disc accent -48..16/32,-32 8,12; disc accent -32..0/32,-4 8,12
question: line accent 12 -36,-42 -28,-56 -2,-56 10,-40 -2,-22 -14,-10 -14,4; disc accent -14,24 8
magnifier: line ink 18 36,36 90,92; disc ink -14,-18 76; disc light -14,-18 62; footprints|question
key_hole: disc accent 0,0 92,104; disc ink 0,0 78,90; disc light 0,-26 34; poly light -14,-10 14,-10 32,66 -32,66;
  person ink 0,66 66~83
# Sci-Fi
stars: 26* disc light -140~139,-130~110 1~2
planet: stars; arc accent 9 0,0 130,25 180 180 18; disc light 0,0 62; disc accent 6,6 56; disc ink 16,14 44;
  arc light 8 0,0 130,25 0 180 18; disc light -110~-71,-100~-61 13
rocket: poly light 0,-100 28,-50 28,50 -28,50 -28,-50; = poly accent 28,10 60,60 28,50; disc ink 0,-30 14;
  poly ffaa3c -20,52 20,52 0,120
rocket_launch: stars; disc accent -40,36 62; disc ink -30,42 52; line light 5 -132,66 -90,54 -20,22 52,-12;
  @52,-40:44~59 rocket
saucer: ground ink 102; stars; poly light -30,-34 30,-34 84,96 -84,96; disc ink 0,-46 84,24; disc accent 0,-60 38,28;
  disc light -60..60/30,-42 6; poly ink -260,104 -160,90 -60,84 60,88 150,92 260,104; person ink -20~20,90 42~59 cheer
# Fantasy
turret: box ink -15,0 15,62; poly accent -20,0 20,0 0,-45; box light -4,14 4,26
castle: ground accent 102; disc light -40~39,-52 40; poly accent -260,104 -130,66 -40,44 60,50 160,76 260,104;
  @-56,-14 turret; @0,-52:125 turret; @52,-28 turret; @-28..28/56,12 turret; box ink -70,30 70,80;
  disc light 0,62 11,20
dragon: disc light 10,-20 66~83; poly ink -10,-20 -40,-96 -62,-60 -104,-72 -84,-30 -104,0 -60,-6 -30,30;
  poly ink 16,-16 52,-92 70,-54 106,-62 90,-24 108,4 66,0 34,30; line ink 24 0,-10 4,30 -8,60;
  line ink 12 -8,60 -40,84 -84,80 -98,60; line ink 15 0,-10 10,-50;
  poly ink -4,-60 14,-84 10,-66 30,-82 24,-62 60,-46 52,-36 20,-36; disc accent 22,-54 4;
  poly accent 60,-46 110,-56 90,-44 120,-34 86,-34 96,-20 56,-38
sword: ray accent 3 0,0 50~69 90~119 0..340/20; poly light 0,-104 13,-84 10,52 -10,52 -13,-84;
  poly ink 0,-96 3,-80 2,52 -2,52 -3,-80; poly ink -54,44 54,44 46,60 -46,60; box ink -8,58 8,92; disc accent 0,96 13
# Family and Animation
toy_balloon: line ink 1 0,0 6,40; disc accent|light 0,0 12,15
little_house: ground ink 102; disc light 70,-70 28; poly ink -260,104 -170,74 -60,54 60,56 160,72 260,104;
  box light -46,-10 50,66; poly accent -60,-8 2,-62 64,-8; box ink -8,24 16,66; box accent -36,8 -18,28;
  person ink|accent -88,92 70 cheer|stand ecc4a4; person ink|accent -66,92 46 cheer|stand ecc4a4;
  person ink|accent 80,92 50 cheer|skirt ecc4a4; 3* @-110~-11,-96~-45 toy_balloon
balloon: disc accent|light|fac83c|5ab478|e6646e 0,0 26,32; disc ffffff -9,-11 5,7
balloons: line ink 1 -68..68/34,-40 0,70; @-68..68/34,-70~-20 balloon; 1~4* @-50~50,-84~-30 balloon;
  person ink 0,104 44 cheer ecc4a4
eyeball: disc ffffff 0,0 26; disc ink -7~7,4 10
one_eye: @0,-24 eyeball
two_eyes: @-30..30/60,-24 eyeball
three_eyes: @-46..46/46,-24:77 eyeball
creature: = line accent 10 26,-60 44,-96; = disc light 44,-98 11; = disc ink 22,96 30,12; disc accent 0,8 82,88;
  disc light 0,44 48,42; one_eye|two_eyes|two_eyes|three_eyes; chord ink 0,16 36,18 0 180; box ffffff -9,16 7,26
# Biography, Sport, Music
glasses: = disc ink 18,-20 13; = disc light 18,-20 9
portrait: disc accent 0,-6 104; poly ink -96,104 -84,56 -34,38 34,38 84,56 96,104; box cea080 -16,14 16,46;
  disc e0b696 0,-20 42,52; poly ink -46,-20 -44,-66 0,-86 44,-66 46,-20 34,-46 -30,-46; 50% glasses;
  line 965046 3 -12,10 12,10; poly light -14,42 0,66 14,42 6,38 -6,38
football: disc ink 0,0 76; disc light 0,0 70; star ink 0,0 26 5 81 18; ray ink 3 0,0 20 62 18..306/72;
  = star ink 53,17 15 5 81 18; = star ink 33,-45 15 5 81 18; star ink 0,56 15 5 81 18
ball: disc accent -90,80 8; disc accent -78,62 12; disc accent -66,44 16; disc accent -54,26 20; @10,-16 football
floodlight: line ink 4 0,-70 0,60; disc light -14..14/14,-92..-68/12 6; poly light 0,-80 -72,70 -12,70
stadium: ground accent 102; = @84,0 floodlight; poly accent -300,104 -300,56 300,56 300,104;
  = line light 2 18,56 25,104; = line light 2 54,56 76,104; = line light 2 90,56 126,104;
  person ink 0,98 120~149 run|cheer
note: disc ink 0,60 40,30; line ink 14 34,56 34,-70 90,-40
guitar: disc accent 0,20 104; disc light 0,20 84; disc accent 0,20 64; line ink 11 0,20 44,-92;
  poly ink 36,-84 56,-76 64,-106 46,-112; disc ink -22,60 46; disc ink 4,16 32; disc light -8,36 13;
  4* @-100~99,-90~0:16 note
stage: poly light -60~60,-104 -46,92 46,92; disc light 0,92 60,9; person ink 0,94 100~129 cheer|skirt;
  = box ink 103,-104 121,100; = box accent 86,-104 104,86; = box ink 69,-104 87,72; = box accent 52,-104 70,58;
  box accent -122,-110 122,-88
# History, War, Western, Short, News
column: box light -9,-12 9,70; box ink -13,-12 13,-5
temple: disc accent 0,-30 74; poly ink -96,-28 0,-78 96,-28; box ink -90,-24 90,-12; @-76..76/38,0 column;
  box ink -96,70 96,82; box light -108,80 108,92; box ink -120,90 120,102; person ink -50~49,90 50~69 hold
plane: poly ink -100,0 -70,-12 -10,-10 10,-70 26,-70 24,-8 90,0 24,10 26,60 10,60 -10,10 -70,8 -84,36 -98,36
battlefield: ground ink 102; disc accent 20,10 60; 3* @-90~79,-100~-41:14~25 plane;
  poly ink -260,104 -200,72 -70,62 0,72 80,60 190,74 260,104; person ink -86..8/47,78 50~71 aim|run;
  poly ink 50,66 56,46 74,44 78,32 100,32 104,44 124,48 130,66; line ink 4 80,38 40,30
desert: ground ink 102; disc light -20~39,-6 62; poly ink -260,104 -180,80 -40,70 60,80 180,72 260,104;
  poly accent -260,60 -120,60 -112,6 -60,6 -50,60 36,60 44,24 96,24 108,60 260,60 260,80 -260,80;
  line ink 9 72,84 72,-20; line ink 7 72,44 48,40 48,10; line ink 7 72,30 96,26 96,-6;
  person ink -44,92 90~119 stand|aim
clapperboard: box ink -84,-20 84,84; @-84..42/42,0 poly light 0,-22 21,-22 9,-40 -12,-40;
  @-84..42/42,0 poly accent 4,-50 24,-56 16,-76 -4,-70; @0,10..58/24 line light 4 -66,0 10~65,0
newspaper: poly ink -88,-84 92,-96 104,92 -76,104; poly f0eee6 -94,-90 86,-102 98,86 -82,98;
  poly accent -84,-78 78,-88 79,-62 -82,-52; @0,-40..80/12 line 787670 3 -80,4 -30~-7,1; line 787670 3 6,-40 50~83,-44;
  @0,44..80/12 line 787670 3 6,0 50~83,-4; poly ink 4,-26 80,-31 84,22 7,27; disc light 44,-4 15
# Backgrounds
rays: @0,-45~11 sunrise|sunburst
sunrise: pie light22 0,0 270 0..330/30 15
sunburst: pie light22 0,0 270 12..352/20 10
slashes: @-170~-150,0 @0..224/28,0 poly light22 0,103 9,103 101,-103 92,-103
glow: @-39~39,-72~-4 halo
halo: disc light8 0,0 69; disc light16 0,0 54; disc light26 0,0 38; disc light40 0,0 25
frame: = box ink 63,-98 65,98; box ink -65,-98 65,-96; box ink -65,96 65,98
dots: 34* disc light22 -70~69,-100~59 3|6|9
hearts: 34* heart accent25 -70~69,-100~59 3|6|9
drizzle: 34* @-70~69,-100~59 line light22 1 0,0 -3,14
starry: 34* disc light -70~69,-100~59 0|1|1
# Everyday pictures, which are not posters
mug: ground 966642 40; disc e2e2dc 8,66 104,16; disc c43e36 66,8 34,36; disc e8d6bc 66,8 20,22;
  box c43e36 -56,-46 56,62; disc c43e36 0,62 56,12; disc d6544a 0,-46 56,13; disc 402418 0,-46 48,9;
  @-22..26/24,0 line f6f0e8 3 0,-66 8,-80 0,-94 8,-108
cat: ground 74925c 60; line d89654 14 52,76 96,60 104,20 90,-4; disc d89654 0,52 62,48; disc d89654 0,-24 52,46;
  = poly d89654 14,-60 50,-96 52,-30; = poly ecb096 24,-62 44,-82 46,-46; = disc 96be5a 20,-30 11;
  = disc 3c2a22 20,-30 4,10; = disc d89654 24,92 20,11; = @0,-16..0/8 line 3c2a22 1 14,8 70,6;
  poly ce6460 -8,-14 8,-14 0,-4
house: ground 7aac58 50; disc fcdc60 130,-92 24; box eee0c4 -80,-30 50,66; poly a84636 -96,-28 -15,-96 66,-28;
  box 6e4834 -32,10 0,66; @-68..12/80,0 box 8cbed8 0,-10 26,16; box 684a32 106,0 118,66; disc 488442 112,-30 34;
  disc 488442 90..136/46,-7 34
fruit: ground cebea4 30; disc f0f0ec 0,60 130,30; disc e2e2dc 0,58 104,22; disc c63030 -44,24 38; disc ee922c 34,28 36;
  disc 7aa640 -4,-14 36; line 5c4228 4 -4,-46 2,-62; line 5c4228 4 -44,-10 -50,-26; poly 548c3c 2,-56 30,-72 24,-52
"""

_POINT = re.compile(r"-?\d+(,-?\d+)?")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)/(-?\d+)")
_RANDOM = re.compile(r"(-?\d+)~(-?\d+)")


def _unroll(statement):
    """Repeat a statement for each value of its ranges."""
    if not (found := _RANGE.search(statement)):
        return [[_constant(word) for word in statement.split()]]
    start, stop, step = map(int, found.groups())
    values = range(start, stop + (1 if step > 0 else -1), step)
    return [
        once for value in values for once in _unroll(f"{statement[: found.start()]}{value}{statement[found.end() :]}")
    ]


@functools.cache
def _constant(word):
    if re.fullmatch("[0-9a-f]{6}", word):
        return tuple(bytes.fromhex(word))
    if not _POINT.fullmatch(word):
        return word
    numbers = tuple(map(int, word.split(",")))
    return numbers if len(numbers) == 2 else numbers[0]


def _parse(text):
    lines = re.sub(r"\n  ", " ", re.sub(r"#.*\n", "", text)).strip().splitlines()
    programs = dict(line.split(": ", 1) for line in lines)
    return {
        name: [once for statement in program.split("; ") for once in _unroll(statement)]
        for name, program in programs.items()
    }


MOTIFS = _parse(_TEXT)


def draw_motif(name, pen, colors, rng):
    """Draw a motif.

    Args:
        name: Key of `MOTIFS`.
        pen: `Pen` of the box to draw in.
        colors: Dict with the RGB colors "ink", "accent" and "light".
        rng: `random.Random` for the random parts of the motif.
    """
    for statement in MOTIFS[name]:
        _execute(statement, pen, colors, rng)


def _execute(statement, pen, colors, rng):
    head, *rest = statement
    if head.endswith("*"):
        for _ in range(_value(head[:-1], rng)):
            _execute(rest, pen, colors, rng)
    elif head.endswith("%"):
        if rng.randrange(100) < int(head[:-1]):
            _execute(rest, pen, colors, rng)
    elif head == "=":
        _execute(rest, pen, colors, rng)
        _execute(rest, pen.inner((0, 0), -100), colors, rng)
    elif head.startswith("@"):
        center, _, percent = head[1:].partition(":")
        _execute(rest, pen.inner(_value(center, rng), _value(percent or "100", rng)), colors, rng)
    else:
        command, *arguments = (_value(word, rng, colors) for word in statement)
        if command in MOTIFS:
            draw_motif(command, pen, colors | dict(zip(["ink"], arguments, strict=False)), rng)
        else:
            getattr(pen, command)(*arguments)


def _value(word, rng, colors=()):
    """Return the RGB color, number, point or name that a word denotes."""
    if not isinstance(word, str):
        return word
    if "|" in word:
        word = rng.choice(word.split("|"))
    if word in colors:
        return colors[word]
    if "~" in word:
        word = _RANDOM.sub(lambda found: str(rng.randint(int(found[1]), int(found[2]))), word)
    return _constant(word)
