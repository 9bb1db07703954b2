#!/usr/bin/env python3
"""Writes strings.txt: the texts of the tokenizer goldens, one JSON string a line.

Seeded, and independent of the Python version: characters come from the ranges below.
usage: make_strings.py > strings.txt
"""
import json
import random

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


def main():
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
    for text in texts:
        print(json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f").replace("\u2028", "\\u2028")
              .replace("\u0085", "\\u0085"))


if __name__ == "__main__":
    main()
