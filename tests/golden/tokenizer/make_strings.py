#!/usr/bin/env python3
"""Writes strings.txt: the texts of the tokenizer goldens, one JSON string a line; or strings-forms.txt,
for tokenizers that compose text (NFC), tell letters by their case, or cut at punctuation and digits.

Seeded, and independent of the Python version: characters come from the ranges below.
usage: make_strings.py > strings.txt
       make_strings.py --forms > strings-forms.txt
"""
import json
import random
import sys

RANGES = {
    "latin": ["a-z", "A-Z", "à-öø-ÿ", "Ā-ſ"],
    "cyrillic": ["а-я", "А-Я"], "greek": ["α-ω", "Α-Ρ"], "hebrew": ["א-ת"], "arabic": ["ا-غ", "ف-ي"],
    "devanagari": ["क-ह", "ा-ौ"], "bengali": ["ক-ন"], "tamil": ["க-ங"], "thai": ["ก-ฮ", "ะ-ู"],
    "hangul": ["가-깋", "하-핳"], "hiragana": ["あ-ん"], "katakana": ["ア-ン"], "han": ["一-丟", "的-盿"],
    "georgian": ["ა-ჰ"], "armenian": ["ա-ֆ"], "ethiopic": ["አ-ኧ"], "khmer": ["ក-អ"], "tibetan": ["ཀ-ཇ"],
    "cherokee": ["Ꭰ-Ꮿ"], "runes": ["ᚠ-ᛪ"], "gothic": ["𐌰-𐍊"], "cuneiform": ["𒀀-𒀿"],
    "bold": ["𝐀-𝐳"], "rare_han": ["𠀀-𠀿", "\U0002EBF0-\U0002EBFF"], "new": ["\U00010D4A-\U00010D65"],
}
DIGITS = ["0-9", "٠-٩", "०-९", "０-９", "𝟎-𝟗", "Ⅰ-Ⅻ", "①-⑨", "¼-¾", "²-³", "〡-〩", "\U00010D40-\U00010D49"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u2009", "\u0085",
          "\u200b", "\x0b", "\x0c", "\x1c", " \n", "\n ", "\n\n", "    ", "\t\t", "\u202f", "\ufeff", "\u1680"]
MARKS = ["\u0301", "\u0308", "\u0323", "\u20dd", "\u0e49", "\u064b", "\u093c", "\u200d", "\u200c", "\ufe0f", "\u0897"]
EMOJI = ["😀", "🎉", "❤️", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇯🇵", "1️⃣", "🫠", "☃", "🧑🏿‍🚀", "©", "™", "♥"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["…", "—", "«", "»", "¿", "、", "。", "“", "”", "‘", "’", "·", "€", "₿", "∑", "→", "▁", "Ġ", "Ċ"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'LL", "'D", "'ſ", "'lL", "’s",
                "'x", "'", "''s", "'r", "'l", " 's", "'st", "'mat", "'dog"]
WORDS = """the of and to in he it was that his with for you had said not Once upon time there little girl boy
played happy day mother Input Output category number seven twelve zebra international tokenization
GPT LLaMA HTTP JavaScript naïve café Zürich straße œuvre Москва привет мир Ελλάδα שלום مرحبا नमस्ते สวัสดี
안녕하세요 こんにちは 世界 東京 漢字 tiếng Việt İstanbul ﬁn ǅ ʼn x1y2 e-mail foo_bar camelCase 3.14 1,000,000 2024-05-06
0x1F 10th §12""".split()
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "<|begin_of_text|>", "<|eot|>", "<|begin", "<mark>", "<end>", "[TOK]",
           "solo", "a solo b", "<0x41>", "<0xE2>", "<0x+5>", "<s", "s>", "two words", "<mark>s", "ENDE"]
CODE = ["def f(x):\n    return x**2\n", "for(int i=0;i<n;++i){a[i]+=b[i];}", "\tif (!p) {\n\t\treturn -1;\n\t}",
        "SELECT * FROM t WHERE a='b';", "<div class=\"x\">&nbsp;</div>", "{\"k\": [1, 2.5, null]}", "a\\nb", "$HOME/.config",
        "https://example.com/a?b=c&d=%20#e", "x = y  # why\n\n\n", "#include <stdio.h>\r\n\r\nint main(){}\r\n"]
FIXED = ["", " ", "  ", "\n", "\n\n", " \n", "\n ", "\t", "\r\n", "a", " a", "a ", "  a", "a  ", "  a  b  ", "a\n\nb", "a \n b",
         "a\u3000b", "\u00a0a", "\u00a0 a", "\u0000", "\u0000\u0001\u007f", "\uffff", "\U0010ffff", "\ufffd", "ſ", "K", "ß",
         "Once upon a time", "Hello, world!", "I'm sure he'll say they've won; it's DON'T, we'd.", "I'M HE'LL THEY'VE IT'S",
         "12345678901234567890", "1 22 333 4444 55555", "a1b22c333", "１２３４", "٣٫١٤", "½⅓Ⅻ", "e\u0301e\u0301", "\u0301a",
         "क्षि", "เกี่ยวกับ", "각각", "각", "ﷺ", "👩‍❤️‍💋‍👩", "🇺🇸🇩", "\u200f\u202eabc", "x\u00adsoft", "a\u200bb",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ababababababababababababab", "!!!!!!!!???", "............",
         "                    deep", "\t\t\t\t\tdeep", "\n\n\n\n\nend", "trail     ", "trail\n\n\n", "mixed \t\n \t end",
         "▁", "▁▁", "▁a", " ▁a", "▁ a", "a▁b", "a ▁b", "Ġa", "ĠĠ", "Ċ", "'", "''", "' s", "it 's", "it' s"]


# Composed and not: marks in order and out of it, on what composes with them and on what does not;
# characters that decompose for good, and those that are younger than the tokenizers' Unicode.
COMPOSING = [
    "é", "e\u0301", "café cafe\u0301", "e\u0302\u0301", "e\u0301\u0302", "ê\u0301", "ế", "ẹ\u0302", "e\u0302\u0323", "e\u0323\u0302",
    "a\u0315\u0300\u05aeb", "q\u0307\u0323", "q\u0323\u0307", "\u1e9b\u0323", "d\u0323\u0307", "s\u0307\u0323", "\u0301", "\u0301a", "\u0345\u0301\u0334",
    "ǖ", "u\u0308\u0304", "ΐ", "\u0344", "α\u0345\u0301\u0313", "ᾂ", "Å \u212b A\u030a", "\u2126", "\u212a", "\u2329x\u232a", "\u1fef\u037e\u0387", "豈更",
    "\U0002f800\U0002fa1d", "\u0958", "\u0915\u093c", "\u0929", "\u0928\u093c", "\ufb1d\ufb2c", "\U0001d15e\U0001d160", "\u0f43\u0f73\u0f76", "\u2adc",
    "\u09c7\u09be", "\u09c7\u09d7", "\u0b92\u0bd7", "\u0dd9\u0dcf\u0dca", "\u1025\u102e", "\u30ab\u3099\u304b\u309a", "\U00011099\U000110ba",
    "\U00011131\U00011127", "\U00011935\U00011930", "x\u1abf\u0301", "x\u0301\u1abf", "x\u0301\u0897", "x\u0301\u1df6", "x\u0301\u1df5",
    "한글", "\u1112\u1161\u11ab\u1100\u1173\u11af", "하\u11ab", "\u1112\u1161", "한\u11ab", "하\u11a7", "\u1100\u1175\u11c2", "\u1100\u1176", "\u1161\u11a8", "각\u1161",
    "\ua960\u1161", "\ud7b0\u11a8", "가\u0301", "가\u0301\u11a8", "\u1100\u0301\u1161", "نً\u0653", "ا\u0653\u0655", "\u05d0\u05b7\u05bc", "ก\u0e38\u0e49", "ก\u0e49\u0e38",
    "e" + "\u0301\u0323" * 20, "e" + "\u0323" * 33, "\u0345\u0301\u0323\u0334" * 9, "x" + "\u0301\u0300" * 50, "\u09be" * 12, "\u1100" * 9 + "\u1161",
    "<|eot|>\u0301", "e<|eot|>\u0301", "e\u0301<|eot|>e\u0301", "cafe\u0301", "xcafe\u0301", "café\u0323", "cafe\u0323\u0301", "cafe\u0301s", "\u212b!", "A\u030a!",
    "Å\u0323!", "  e\u0301", "    ", "     x", "\u0301    \u0301", "solo", "e\u0301 solo e\u0301", "soloe\u0301", "e\u0301solo", "\u0301solo", "fiﬁ", "①ﬀ",
]
# Letters of each case and of none, marks, contractions, slashes.
CASES = [
    "camelCase", "HTTPServer", "ABCdef", "ABC", "abcDEF", "AbCdEf", "ǅX", "xǅ", "ǅx", "ªBC", "AªB", "AªBC", "Aªbc", "ABªCD", "aªB", "ʰA", "AʰʰB", "中文ABC", "ABC中文", "A中B中C",
    "a中Bc", "\u0301ABC", " \u0301ABC", "!\u0301ab", "\u0301", "\u0301\u0301", "\u0301A", "\u0301Ab", "\u0301\u0301AB", "A\u0301B", "AB\u0301CD", "a\u0301B", "A\u0301\u0301", "!\u0301AB",
    " A", " ABC", " Abc", " aBC", "  Abc", "\tABC", "\nABC", "\rabc", "!ABC", "!abc", "!!ABC", "1ABC", "ABC1abc", "don't", "DON'T", "Don'T", "don'tx", "x'S", "X's", "X'S Y'Ll",
    "中'll", "中'LL x", "'s", "''s", "'S's", "it's's", " 's", "'ſ", "aſ'ſ", "A'", "a'", "a'x", "\u0301's", "ABC's", "ABC'd've", "ʼn's", "we'll've", "a/b", "a//b", "!/", "!/\n", "!\n/\n/",
    "//\r\n/x", "\n/", "/\n\n", " /", " /\n/ /", "https://Example.COM/Path/toFile.HTML?q=1", "/usr/local/bin\n", "# //\n//", "1234", "12345678", "1a2B3", "٣٤٥٦", "ⅫⅫ", "x²y³",
    "\u00aa\u00ba", "ßẞ", "ĲĳǇǈǉ", "ΑαΆά", "ЖжЙй", "ꟋɤꟍꟌ", "Ა\u10d0", "Ꭰꭰ", "𐐀𐐨", "𞤀𞤢", "\U00010d50\U00010d70", "क्षि", "ไทยABC", "한글ABC", "İstanbul", "\u0130\u0069\u0307", "e\u0301É",
]
# Punctuation by the rules of a category, of ASCII and of an old Unicode; digits as bytes and not.
CUTS = [
    "a.b", "a...b", "a, b", "Hello, world!!", " !", "  !!  ?", "x=1+2<3>4", "$$^`|~", "a$b", "a€b", "€5", "«a»", "…—…", "。、", "\u166d\u166e", "\U000111c9", "\u2e43\u2e42",
    "\u2e52", "it's", "'ve", "I'd've", "don't.", "(a)[b]{c}", "_a_", "a_b", "##x", "@x@", "%d", "a\\b", "\"q\"", "12345", "1234567", "123", "12", "a1234b", "a123456b", "1,234,567.89",
    "12²3456", "²³¹", "²", "x²", "123²", "²123", "12½34567", "¼½¾", "¹²³456", "ò", "òó", "ù123", "123ù", "naïve", "٣٤٥٦", "１２３４", "①②③④", "Ⅷ123", "0xDEADBEEF", "3.14159",
    "2024-05-06", "10th", "v1.2.3", " 123", " 1234", "  12345", "a 12 b", "1 2 3", "\n123\n", "1234\u0301", "߁߂߃߄", "𝟎𝟏𝟐𝟑", ">>TITLE<<", ">>TITLE<<1", "a>>TITLE<<", "!!\n\n!!", "¡Hola!", "؟،",
]


def expand(ranges):
    result = []
    for item in ranges:
        parts = item.split("-")
        # "à-öø-ÿ" is two ranges written together.
        first = parts[0]
        for part in parts[1:]:
            result += [chr(code) for code in range(ord(first), ord(part[0]) + 1)]
            first = part[1:]
    return result


def forms():
    rng = random.Random(20241123)
    kinds = [list("abcxyz"), list("ABCXYZ"), ["é", "ß", "ñ", "ж"], ["É", "Ж", "Ω", "ǅ"], ["ª", "ʰ", "中", "ก", "א", "한"], list("0123456789"),
             ["²", "½", "٣", "Ⅻ"], list("'/!-_$^"), ["…", "€", "。", "«"], [" ", " ", "  "], ["\n", "\r\n", "\t", "\u3000"], ["'s", "'LL", "'t"],
             ["\u0301", "\u0308", "\u0323", "\u0302", "\u0345", "\u0334"], ["\u1100", "\u1161", "\u11a8", "가", "각"],
             ["\u212b", "\u0344", "\u0958", "\ufb1d", "\u2126", "ậ", "ǖ", "\uf900"], ["<|eot|>", "cafe\u0301", "    "]]
    texts = COMPOSING + CASES + CUTS
    while len(texts) < 620:
        some = rng.sample(kinds, rng.randint(2, 6))
        texts.append("".join(rng.choice(rng.choice(some)) for _ in range(rng.randint(3, 16))))
    return texts


def write(texts):
    for text in texts:
        print(json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f").replace("\u2028", "\\u2028")
              .replace("\u0085", "\\u0085"))


def main():
    if sys.argv[1:] == ["--forms"]:
        return write(forms())
    rng = random.Random(20240506)
    scripts = {name: expand(ranges) for name, ranges in RANGES.items()}
    digits = [expand([item]) for item in DIGITS]

    def word(script):
        return "".join(rng.choice(scripts[script]) for _ in range(rng.randint(1, 6)))

    def number():
        kind = rng.choice(digits[:1] * 4 + digits)
        return "".join(rng.choice(kind) for _ in range(rng.choice([1, 1, 2, 3, 3, 4, 5, 7])))

    def marked():
        base = word(rng.choice(["latin", "cyrillic", "thai", "devanagari", "arabic"]))
        return "".join(c + "".join(rng.choice(MARKS) for _ in range(rng.randint(0, 2))) for c in base)

    def run():
        return rng.choice(SPACES) * rng.randint(1, 4) + rng.choice(["", "", rng.choice(SPACES)])

    def any_code():
        while True:
            code = int(2 ** rng.uniform(0, 20.09))
            if code < 0x110000 and not 0xD800 <= code < 0xE000:
                return chr(code)

    kinds = [
        lambda: rng.choice(WORDS), lambda: rng.choice(WORDS), lambda: rng.choice(WORDS),
        lambda: word(rng.choice(list(scripts))), lambda: word(rng.choice(list(scripts))),
        number, marked, lambda: rng.choice(EMOJI), lambda: rng.choice(PUNCTUATION) * rng.choice([1, 1, 1, 2, 3]),
        lambda: rng.choice(WORDS) + rng.choice(CONTRACTIONS), lambda: rng.choice(CONTRACTIONS), run,
        lambda: rng.choice(SPECIAL), any_code,
    ]
    texts = list(FIXED) + list(CODE)
    for space in SPACES:
        texts += [space, "a" + space + "b", space + "b", "a" + space, "1" + space + "!", "." + space + "\n" + space + "x"]
    for contraction in CONTRACTIONS:
        texts += ["it" + contraction, contraction + "e", "x " + contraction + " y", "1" + contraction + "2"]
    for special in SPECIAL:
        texts += [special, "a" + special + "b", "a " + special + " b", special + special, "\t" + special + "\n",
                  special + " " + special, "é" + special + "é", "1" + special + "_", "-" + special + "-", " " + special]
    for name in scripts:
        for _ in range(12):
            texts.append(rng.choice(["", " ", rng.choice(PUNCTUATION)]).join(word(name) for _ in range(rng.randint(1, 3))))
    while len(texts) < 2200:
        parts = [rng.choice(kinds)() for _ in range(rng.randint(1, 6))]
        texts.append("".join(part + rng.choice(["", " ", " ", " "]) for part in parts))
    write(texts)


if __name__ == "__main__":
    main()
