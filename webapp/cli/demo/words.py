"""What the sample data is made of: people, rooms, and what they talk about. Lists, and nothing else."""

from typing import NamedTuple


class Sent(NamedTuple):
    """A message with files: its words, which may be none, and each file's name with what it shows."""

    words: str
    files: tuple[tuple[str, str], ...]


# Given and family names of one culture. `Sakura=さくら` also has its own script, in which some people write it;
# names of a culture marked "family first" are then joined without a space, the family first.
PEOPLE = (
    (
        "Amelia Oliver Isla Harry Grace Callum Poppy Rhys Fiona Graham Imogen Duncan Maisie Lewis Beth Owen",
        "Bennett Carter Hughes Fletcher Morgan Lloyd Fraser Marsh Whitfield Ashby Holloway Barnes Pryce Sutton",
    ),
    (
        "Camila Mateo Lucía Santiago Valentina Tomás Inés Joaquín Renata Emilio Paloma Andrés Ximena Rafael Marisol",
        "García Herrera Morales Ríos Castillo Vega Navarro Fuentes Domínguez Cabrera Peña Salazar Ibáñez Luna",
    ),
    (
        "Léa Hugo Manon Théo Chloé Étienne Margaux Baptiste Élodie Rémi Solène Antoine Noémie Gaël Aurélie Bastien",
        "Moreau Lefèvre Girard Fontaine Chevalier Lambert Mercier Gauthier Perrin Rousseau Besson Delorme Marchand",
    ),
    (
        "Hannah Jonas Lotte Felix Greta Moritz Jule Matthias Frieda Lukas Antonia Jörg Svenja Anton Mareike Uwe",
        "Becker Schäfer Krüger Vogel Brandt Lindner Winkler Böhm Hartmann Seidel Köhler Jansen Ziegler Maurer",
    ),
    (
        "Beatriz Caio Júlia Thiago Larissa João Helena Otávio Mariana Davi Letícia Murilo Clara Vinícius Sofia Nuno",
        "Almeida Barbosa Cardoso Ferraz Gonçalves Lacerda Nogueira Pacheco Queirós Tavares Moura Brandão Azevedo",
    ),
    (
        "Astrid Lars Freja Mikkel Saga Oskar Signe Björn Linnea Søren Tuva Henrik Ebba Anders Maja Eero",
        "Lindqvist Nyström Dahl Håkansson Sørensen Bergström Solberg Holm Ekström Nygaard Virtanen Korhonen Aalto",
    ),
    (
        "Amara Chidi Ngozi Emeka Adaeze Tunde Folake Segun Ifeoma Kwame Abena Kofi Akosua Yaw Zola Thabo",
        "Okafor Adeyemi Mensah Balogun Eze Boateng Owusu Nwosu Asante Dlamini Mokoena Abiola Osei Ndlovu",
    ),
    (
        "Aarav=आरव Ananya=अनन्या Rohan=रोहन Priya=प्रिया Vikram=विक्रम Meera=मीरा Arjun=अर्जुन Kavya=काव्या "
        "Nikhil=निखिल Isha=ईशा Sanjay=संजय Divya=दिव्या",
        "Sharma=शर्मा Patel=पटेल Iyer=अय्यर Gupta=गुप्ता Nair=नायर Joshi=जोशी Menon=मेनन Verma=वर्मा Desai=देसाई Rao=राव",
    ),
    (
        "Layla=ليلى Omar=عمر Yasmin=ياسمين Karim=كريم Nour=نور Tariq=طارق Salma=سلمى Youssef=يوسف Huda=هدى Samir=سمير "
        "Rania=رانيا Ziad=زياد",
        "Haddad=حداد Nasser=ناصر Khoury=خوري Mansour=منصور Saleh=صالح Amin=أمين Farouk=فاروق Hamdan=حمدان Sabbagh=صباغ",
    ),
    (
        "Olena=Олена Andriy=Андрій Oksana=Оксана Taras=Тарас Daria=Дарія Bohdan=Богдан Iryna=Ірина Mykola=Микола "
        "Kateryna=Катерина Roman=Роман",
        "Shevchuk=Шевчук Kovalenko=Коваленко Bondar=Бондар Melnyk=Мельник Kravets=Кравець Savchenko=Савченко "
        "Lysenko=Лисенко Moroz=Мороз",
    ),
    (
        "family first",
        "Sakura=さくら Haruto=陽翔 Yui=結衣 Ren=蓮 Aoi=葵 Kenji=健二 Naoko=直子 Takumi=匠 Hana=花 Daichi=大地 Emi=恵美",
        "Sato=佐藤 Tanaka=田中 Yamamoto=山本 Kobayashi=小林 Nakamura=中村 Mori=森 Fujita=藤田 Okada=岡田 Hayashi=林",
    ),
    (
        "family first",
        "Xiuying=秀英 Jiahao=佳豪 Yuting=雨婷 Haoran=浩然 Meiling=美玲 Zihan=子涵 Junjie=俊杰 Xinyi=欣怡 Peng=鹏",
        "Wang=王 Zhang=张 Chen=陈 Liu=刘 Huang=黄 Zhou=周 Wu=吴 Zhao=赵 Guo=郭 Lin=林 Xu=徐 Ma=马",
    ),
    (
        "family first",
        "Seoyeon=서연 Minjun=민준 Jiwoo=지우 Hayoon=하윤 Dohyun=도현 Yuna=유나 Taemin=태민 Soojin=수진 Jaehyun=재현",
        "Kim=김 Park=박 Choi=최 Jung=정 Kang=강 Yoon=윤 Lim=임 Han=한 Shin=신 Song=송",
    ),
    (
        "Thu Minh Linh Quang Hoa Dung Trang Khanh Mai Long Ngoc Tuan",
        "Nguyen Tran Le Pham Hoang Vu Dang Bui Do Ngo",
    ),
    (
        "Zeynep Emre Elif Mert Defne Kerem Aylin Burak Nehir Ozan Selin Deniz",
        "Yılmaz Demir Kaya Çelik Şahin Öztürk Aydın Arslan Koç Polat",
    ),
    (
        "Zofia Jakub Hania Szymon Maja Tymon Agata Wojtek Kasia Paweł Jagoda Marek",
        "Nowak Wójcik Zieliński Mazur Krawczyk Dudek Wilk Sikora Baran Górski",
    ),
)

BIOS = (
    "Reads too much, sleeps too little.",
    "Here for the recipes.",
    "Two cats, one bicycle, no plan.",
    "Teaches maths, learns the cello.",
    "Mostly gardening. Ask me about tomatoes 🍅",
    "Night shifts at the hospital, so my mornings are your evenings.",
    "Tea first.",
    "Learning Portuguese, please correct me!",
    "Carpenter. Slow on the keyboard.",
    "I answer late, but I do answer.",
    "Walks the long way home.",
    "Retired postman. I know every dog in town by name.",
)

# What a room is about: names of rooms with their topics, and the things that people in them talk about.
THEMES = (
    (
        {
            "Common Room": "Come in, sit down, say hello",
            "Front Porch": "Small talk, long evenings",
            "Coffee Corner": "What is everybody up to?",
        },
        "the street fair|the new bakery|the bus timetable|the weekend|the heat wave|the quiz night|the flea market|"
        "the library's opening hours|the neighbours' puppy|the long train ride",
    ),
    (
        {
            "Kitchen Table": "What are you cooking tonight?",
            "Slow Sourdough": "Starters, crumbs and patience",
            "Tea & Cake": "What goes with what",
        },
        "the lentil soup|my sourdough starter|the plum cake|the new kettle|the dumplings|grandmother's goulash|"
        "the pickled lemons|the oven that burns everything|the mushroom risotto|the oat biscuits",
    ),
    (
        {
            "Balcony Gardeners": "Pots, seeds, and what the snails left",
            "Allotment 14": "Who waters when, who has courgettes to give away",
            "House Plants": "Leaves: yellow, brown, and sometimes green",
        },
        "the tomatoes|the basil|my monstera|the compost heap|the courgettes|the slugs|the lavender|the rain barrel|"
        "the sweet peas|the little lemon tree",
    ),
    (
        {
            "Book Club": "This month: something short",
            "Poetry Evening": "One poem a week, any language",
            "Library Friends": "Borrowed, lent, overdue",
        },
        "chapter three|the second volume|the translation|the audiobook|the detective story|the ending|the narrator|"
        "that poem about the sea|the book with the blue cover|the letter in chapter nine",
    ),
    (
        {
            "Night Sky": "Clear tonight? Tell us where to look",
            "Weather Watchers": "Clouds, puddles and the odd rainbow",
            "Birds at the Window": "Seen, heard, or only suspected",
        },
        "the meteor shower|Saturn's rings|the nightingale|the little owl|the lunar eclipse|the robin on the fence|"
        "the swifts|the old telescope|the fog this morning|the double rainbow",
    ),
    (
        {
            "Bicycle Workshop": "Thursdays at seven. Bring your own inner tube",
            "Weekend Hikes": "Routes, trains, and who brings the thermos",
            "Running, Slowly": "Nobody is left behind",
        },
        "the rear brake|the trail along the river|the chain|the hill behind the station|my left knee|the new tyres|"
        "Sunday's route|the ferry|the squeaking saddle|the half marathon",
    ),
    (
        {
            "Choir": "Rehearsals, lifts, lost sheet music",
            "Kitchen Band": "Loud, cheerful, not very good",
            "Vinyl & Tape": "What is on the turntable?",
        },
        "the second alto part|the concert in May|the bass line|the old accordion|the encore|bar forty-two|"
        "the record player|the microphone stand|the waltz|the tuning",
    ),
    (
        {
            "Board Games": "Tuesdays, the long table by the window",
            "Chess Café": "Slow games welcome",
            "Film Night": "We vote on Wednesday and regret it on Friday",
        },
        "the expansion|the rule about trading|the Sicilian|the director's cut|the subtitles|the missing dice|"
        "the rematch|the silent film|the puzzle with two thousand pieces|the popcorn machine",
    ),
    (
        {
            "Small Web": "Home pages, feeds, and no pop-ups",
            "Help with Computers": "There are no silly questions",
            "Tinkerers": "Solder, glue, and a spare battery",
        },
        "the backup|the printer|the old laptop|the router|the feed reader|the soldering iron|the home page|"
        "the update|the keyboard with the sticky `e`|the weather station",
    ),
    (
        {
            "Language Exchange": "Speak, stumble, be corrected kindly",
            "Travel Notes": "By train if possible",
            "Letters & Stamps": "Pen friends, parcels, odd stamps",
        },
        "the subjunctive|the night train|the phrase book|the postcard from Porto|the pronunciation|the parcel|"
        "the museum|the ticket machine|the homework|the language café",
    ),
)

# The faces of rooms, by the first words of their names; of those that are not here the letters are enough.
FACES = {
    "Common Room": "🛋️", "Front Porch": "🪑", "Coffee Corner": "☕",
    "Kitchen Table": "🍲", "Slow Sourdough": "🥖", "Tea & Cake": "🍰",
    "Balcony Gardeners": "🌱", "House Plants": "🪴",
    "Poetry Evening": "🪶", "Library Friends": "📚",
    "Night Sky": "🔭", "Birds at the Window": "🐦",
    "Bicycle Workshop": "🚲", "Weekend Hikes": "🥾",
    "Choir": "🎶", "Vinyl & Tape": "📻",
    "Board Games": "🎲", "Film Night": "🎬",
    "Tinkerers": "🔧",
    "Language Exchange": "💬", "Letters & Stamps": "💌",
}  # fmt: skip

PLACES = (
    "Lisbon Accra Kyoto Bergen Lviv Bristol Nantes Leipzig Valparaíso Busan Pune Izmir Gdańsk Turku Hanoi Recife "
    "Amman Halifax Ghent Trieste Cork Uppsala Oaxaca Bologna Durban Tainan Graz Dundee Malmö Sibiu"
).split()

OPENERS = (
    "Does anybody know more about {thing}?",
    "Good morning! Any news about {thing}?",
    "I have a question about {thing}.",
    "You were right about {thing}, by the way.",
    "Who wants to help me with {thing} on Saturday?",
    "I finally had time for {thing} today 😊",
    "Did anyone else notice {thing} this week?",
    "News of {thing}: going **much** better.",
    "I can't stop thinking about {thing}.",
    "A small victory with {thing} today!",
    "What would you do about {thing}?",
    "Photos of {thing} are at https://example.org/album/2024",
    "So, {thing}. Where do I even begin?",
    "Reminder: we wanted to talk about {thing} tonight.",
    "Has somebody written down what we agreed on {thing}?",
    "My neighbour asked me about {thing} and I had no answer.",
    "Quick show of hands: who likes {thing}?",
    "Hello everyone, I am new here. Somebody told me that you know all about {thing}.",
    "I made a list for {thing}:\n\n- what we have\n- what we need\n- who asks around",
    "The best part of my week: {thing}.",
)

REPLIES_ABOUT = (
    "I would give {thing} another week.",
    "It's the same here with {thing}.",
    "My sister swears by {thing}.",
    "Wait, hadn't we settled {thing} last week?",
    "There is a good page about {thing}: https://example.org/notes",
    "> {thing}\n\nThat made me laugh out loud.",
    "I could look after {thing} if nobody else wants to.",
    "*Nothing* beats {thing} on a rainy day.",
    "To be honest, I had forgotten about {thing}.",
    "We had the same talk about {thing} last year 😄",
    "I wrote a few lines about {thing}, shall I share them?",
    "Could be. But I have been wrong about {thing} before.",
)

REPLIES = (
    "Oh, that's lovely!",
    "Yes, please.",
    "I'm in.",
    "Count me in too.",
    "Same here.",
    "That sounds about right.",
    "Really? I had no idea.",
    "Ha, I was about to write the same.",
    "Let me check and come back to you.",
    "I asked my dad. He says: patience.",
    "Thank you, that helps a lot!",
    "Good point.",
    "I'm not so sure, but let's try.",
    "Could you send me the link again?",
    "Found it: https://example.org/a/short/page",
    "It took me three evenings, and it was worth it.",
    "Next time I'll take a picture.",
    "The trick is not to hurry.",
    "That was exactly my mistake.",
    "How long did it take you?",
    "About two hours, with a break for tea.",
    "I can bring a spare one on Thursday.",
    "Then Thursday it is.",
    "Is half past six all right for everyone?",
    "Half past six is perfect.",
    "I'll be ten minutes late, start without me.",
    "No worries at all.",
    "You made my day.",
    "Somebody should write this down.",
    "I wrote it down 😉",
    "We say that where I come from, too.",
    "What is it called in your language?",
    "I only know the word for it, not how to spell it.",
    "Step by step: first `on`, then wait, then `off` and `on` again.",
    "1. Let it rest\n2. Turn it over\n3. Let it rest some more",
    "Two things:\n\n- it is cheaper than it looks\n- it is *harder* than it looks",
    "Sorry for the late answer, it was a long day.\n\nYes to everything!",
    "> Is half past six all right?\n\nYes, and I'll bring cake.",
    "I tried it. It works. I don't know **why** it works.",
    "That is the most sensible thing I've read all week.",
    "My daughter says hello 👋",
    "Give her a hug from us.",
    "Mine has done that since the spring.",
    "Have you tried it without the lid?",
    "Without the lid! Of course.",
    "I'm writing from the train, the connection comes and goes.",
    "Take your time.",
    "There is no hurry.",
    "Shall we ask the others?",
    "Let's ask the others first.",
    "I'd rather keep it simple.",
    "Simple is good.",
    "Well, it did the trick last time.",
    "It rains cats and dogs here.",
    "Sun since the morning, I'm on the balcony.",
    "Jealous!",
    "Somebody left an umbrella at my place. Green, wooden handle.",
    "That's mine! I'll pick it up tomorrow.",
    "I learnt something today.",
    "Who would have thought.",
    "Guten Morgen zusammen ☀️",
    "Bom dia!",
    "Ça marche, à demain.",
    "¡Qué alegría!",
    "おつかれさまでした。",
    "صباح الخير يا جماعة",
    "Дякую, дуже корисно!",
    "좋아요!",
    "बहुत बढ़िया!",
    "太好了",
    "Ich bin gegen acht da und bringe den Salat mit.",
    "Je peux apporter les chaises, il m'en reste six à la cave.",
    "Long story. We left at six, because the man at the ticket desk had said that it would be quiet then, and it "
    "was: not a soul on the platform, only a dog who seemed to know the timetable better than we did. By the time the "
    "train came we had finished the sandwiches, missed the sunrise behind the warehouse, and agreed never to trust "
    "that man again. And then the valley opened, all of it at once, with the mist still in it. I would do it again "
    "tomorrow.",
)

# What the first person of all has noted for themselves, and what a person whom they do not know writes to them.
NOTES = (
    "Ask about the bus on Sunday",
    "- flour\n- lemons\n- a new bell for the bicycle",
    "Call mum back **before six**",
)
REQUEST = (
    "Hello, we sat at the same table at the quiz night.",
    "You said that you knew somebody with a spare accordion. Would you ask them for me?",
)

# Rooms of their own: name and topic, and who of their people says what.
PARTY = ("Birthday for Karin", "She must not know before Saturday 🤫")
PARTY_LINES = (
    (0, "Saturday at four, in the garden behind the library. She thinks that we go to the cinema."),
    (1, "I have the cake: lemon, three layers. Somebody has to keep her out of my kitchen until then."),
    (2, "I can ask her to help me with my bicycle on Friday."),
    (3, "How many of us are there? I bring chairs."),
    (0, "Nineteen so far, and two dogs."),
    (1, "Then I need a second cake 🎂"),
)
INVITATION_NOTE = "for the choir"
NEWS = ("House News", "What everybody in the house should know")
NEWS_LINES = (
    (0, "The lift is out of order until Thursday. Parcels are with the bakery."),
    (0, "Summer party on the 12th: a list for salads hangs beside the letter boxes."),
    (0, "The lift works again. Thank you for your patience."),
)
GROUP_LINES = (
    (1, "Shall we go to the lake on Sunday?"),
    (0, "Yes! Do we take the bus at ten, or cycle?"),
    (2, "Cycle. It is only an hour, and there is a bakery on the way."),
    (3, "I come by bus with the picnic, then."),
    (1, "You are the best. I bring lemonade and the **big** blanket."),
    (2, "Somebody bring a ball."),
)

# How the first person is called by name.
MENTION = "@{name} you know about this, don't you? Have a look when you are back."

REACTIONS = "👍|😄|🎉|❤️|😂|🙏|👀|☕|🌻|Yes!|Ha!|Oh no.|Exactly.|Nice!|Hm.|Thanks!|+1|Wow|:)|Agreed.".split("|")

FAREWELLS = (
    "Right, I have to run. See you!",
    "Good night, everyone 🌙",
    "Thanks, all. This was fun.",
    "Until tomorrow, then.",
    "Dinner is ready, talk later!",
    "Let's leave it there for today.",
    "My stop. Bye!",
    "Sleep well, all of you.",
)

# Messages that have files, one after the other. The pictures are drawings of drawings.py, by their names.
SENT_IN_CHAT = (
    Sent("The tomatoes, this morning 🍅", (("garden.webp", "Six tomato plants in a bed before green hills"),)),
    Sent("", (("sea.webp", "A small sailing boat on a calm sea"), ("bread.webp", "A round loaf on a table"))),
    Sent("Who waters when: here is the list.", (("watering-rota.csv", ""),)),
    Sent("", (("voice-message.wav", "Three notes, hummed: how the encore begins"),)),
)
SENT_IN_ROOM = (
    Sent("Schaut mal, das erste Brot aus dem neuen Ofen!", (("bread.webp", "Ein rundes Brot auf einem Holztisch"),)),
    Sent("So war es am Sonntag am See ⛵", (("sea.webp", "Ein kleines Segelboot auf ruhigem Wasser"),)),
)
ROTA = "day,who,what\nMonday,Amelia,tomatoes\nWednesday,Jonas,the lemon tree\nFriday,Priya,everything else\n"
