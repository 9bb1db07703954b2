#!/usr/bin/env python3
"""Writes NAME.golden beside this script: what Hugging Face `tokenizers` makes of strings.txt, or of
strings-forms.txt for the tokenizers in FORMS.

usage: make_golden.py [--train] [--train-forms] [--stories FOLDER]
  --train   first trains the small tokenizers in models/ anew (the committed goldens belong to the
            committed tokenizers; two trainings may break ties differently); --train-forms those in
            FORMS only
  --stories the folder of the stories260k model, whose tokenizer is not in this repository; without
            it stories260k.golden stays as it is

Needs the packages of requirements.txt.

A golden file: a line of JSON {"begin", "end": text of the tokens around each text}, then one line for
each string, then one for each list of random ids.
  string: IDS [TAB IDS_PLAIN] TAB SKIP TAB ALL
    IDS        with special tokens; IDS_PLAIN with spelled-out special tokens taken as text, if those
               differ
    SKIP, ALL  IDS decoded without and with special tokens: `=` the string, `_` a space and the string,
               `+` begin, the string, end, `&` begin, a space, the string, end, else JSON
  random:  IDS TAB SKIP TAB ALL
Ids are two characters of base 64 each (A-Z a-z 0-9 + /), the high one first.
"""
import argparse
import json
import os
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "models")
OPT = os.path.join(HERE, "..", "..", "models", "opt-icl")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS +
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS +
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# Published forms that compose text, tell letters by case, or cut at punctuation and digits.
FORMS = ["falcon", "gemma", "nfc", "o200k", "tekken"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def strings(name="strings"):
    with open(os.path.join(HERE, name + ".txt"), encoding="utf-8") as file:
        return [json.loads(line) for line in file.read().split("\n") if line]


def save(tokenizer, name):
    os.makedirs(os.path.join(MODELS, name), exist_ok=True)
    tokenizer.save(os.path.join(MODELS, name, "tokenizer.json"), pretty=False)


def edit(name, words=(), merges=()):
    """Adds words that no merge leads to, and merges at the lowest ranks, to the saved tokenizer."""
    path = os.path.join(MODELS, name, "tokenizer.json")
    data = json.load(open(path, encoding="utf-8"))
    vocabulary = data["model"]["vocab"]
    for word in [*words, *(word for pair in merges for word in (*pair, "".join(pair)))]:
        vocabulary.setdefault(word, len(vocabulary))
    data["model"]["merges"] = [list(pair) for pair in merges] + data["model"]["merges"]
    json.dump(data, open(path, "w", encoding="utf-8"), ensure_ascii=False, separators=(",", ":"))


def train_bytes(name, pre_tokenizer, size, special, post=None, added=(), alphabet=True, limit=None, **settings):
    tokenizer = Tokenizer(models.BPE(**settings))
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, show_progress=False, limit_alphabet=limit or 1000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [])
    tokenizer.train_from_iterator(strings()[::2], trainer)
    tokenizer.decoder = decoders.ByteLevel()
    if post:
        tokenizer.post_processor = post(tokenizer)
    tokenizer.add_tokens(list(added))
    save(tokenizer, name)


def train_chars(name, size, byte_tokens, normalizer=None, pre_tokenizer=None, decoder=None, added=(), limit=160,
                **settings):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, **settings))
    if normalizer:
        tokenizer.normalizer = normalizer
    # Words while training; the saved tokenizer has what it is given.
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special + byte_tokens, show_progress=False,
                                  limit_alphabet=limit)
    tokenizer.train_from_iterator(strings()[::2], trainer)
    data = json.loads(tokenizer.to_str())
    # Byte tokens belong to the model: they are no added tokens.
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] in special]
    data["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(data))
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_tokens(list(added))
    save(tokenizer, name)


def train():
    byte_level = pre_tokenizers.ByteLevel
    train_bytes(
        "gpt2", byte_level(add_prefix_space=True), 460, ["<s>", "</s>", "<unk>"],
        post=lambda t: processors.RobertaProcessing(("</s>", 1), ("<s>", 0)),
        added=[AddedToken("<mark>", lstrip=True, special=True, normalized=False),
               AddedToken("<end>", rstrip=True, special=True, normalized=False),
               AddedToken("solo", single_word=True), AddedToken("two words"),
               AddedToken("[TOK]", lstrip=True, rstrip=True), AddedToken("ENDé", normalized=False),
               AddedToken("aaaaa"), AddedToken("aaa")])
    # Digits and spaces that would merge, were they not cut apart before.
    numbers = [("1", "2"), ("12", "3"), ("Ġ", "1"), ("Ġ", "12")]
    train_bytes("gaps", pre_tokenizers.Sequence([pre_tokenizers.Digits(), byte_level(add_prefix_space=False)]),
                300, ["<unk>", "</s>"], alphabet=False, limit=120, unk_token="<unk>", fuse_unk=True)
    edit("gaps", merges=numbers)
    train_bytes("dropped", byte_level(add_prefix_space=False, use_regex=False), 200, [], alphabet=False)

    def begin(tokenizer):
        first = tokenizer.token_to_id("<|begin_of_text|>")
        return processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", first)])])

    train_bytes(
        "llama3",
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                 byte_level(add_prefix_space=False, use_regex=False)]),
        520, ["<|begin_of_text|>", "<|eot|>"], post=begin, ignore_merges=True)
    # Words that ignore_merges must find.
    edit("llama3", words=["Ġtokenization", "Ġ12", "123", "ĊĊĊĊ", "ä¸ĸçķĮ"])
    train_bytes(
        "qwen2",
        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                 byte_level(add_prefix_space=False, use_regex=False)]),
        420, ["<|eot|>"])
    train_bytes(
        "digits",
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(add_prefix_space=False)]),
        420, ["<|eot|>"])
    edit("digits", merges=numbers)

    sentence = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                  decoders.Strip(" ", 1, 0)])
    train_chars(
        "sentence", 700, BYTES, decoder=sentence, fuse_unk=True,
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        added=[AddedToken("solo", single_word=True), AddedToken("two words"), AddedToken("<end>", rstrip=True),
               AddedToken("<mark>", lstrip=True, normalized=False), AddedToken("[TOK]", special=True, normalized=False),
               AddedToken("<0x+5>", normalized=False)])
    train_chars("first", 600, BYTES, decoder=sentence,
                pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
                added=[AddedToken("<mark>", lstrip=True), AddedToken("solo", single_word=True, normalized=False)])
    # Some bytes have no token: their characters are unknown, one by one.
    train_chars("split", 480, BYTES[:0xD8], decoder=decoders.Metaspace(prepend_scheme="always"),
                pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="always", split=True), limit=100)


def train_whole(name, size, special, pre_tokenizer, normalizer=None, added=(), **settings):
    """Bytes again, but trained on texts that are not cut: so merges lead across every place where the
    saved tokenizer cuts."""
    tokenizer = Tokenizer(models.BPE(**settings))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, max_token_length=12,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(strings("strings-forms"), trainer)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.add_tokens(list(added))
    save(tokenizer, name)


def train_forms():
    byte_level = pre_tokenizers.ByteLevel
    eot = ["<|eot|>"]
    # GPT-NeoX: runs of spaces are tokens of the composed text.
    train_whole("nfc", 520, eot, byte_level(add_prefix_space=False), normalizer=normalizers.NFC(), added=[
        AddedToken("    "), AddedToken("  "), AddedToken("cafe\u0301"), AddedToken("solo", single_word=True),
        AddedToken("A\u030a", lstrip=True), AddedToken("\u212b!", normalized=False)])
    train_whole("falcon", 520, [">>TITLE<<", *eot], pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), byte_level(add_prefix_space=False), pre_tokenizers.Digits(),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
    # Phi-4-mini has the expression in this form.
    train_whole("o200k", 520, eot, pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(O200K), "removed", invert=True),
        byte_level(add_prefix_space=False, use_regex=False)]))
    train_whole("tekken", 520, eot, pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(TEKKEN), "isolated"), byte_level(add_prefix_space=False, use_regex=False)]),
        ignore_merges=True)
    train_chars("gemma", 420, BYTES, fuse_unk=True, normalizer=normalizers.Replace(" ", "▁"), limit=90,
                pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous"),
                decoder=decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]),
                added=[AddedToken("▁▁", normalized=False), AddedToken("\n\n", normalized=False),
                       AddedToken("<|eot|>", special=True, normalized=False)])


def encode_ids(ids):
    assert all(0 <= i < 4096 for i in ids)
    return "".join(ALPHABET[i >> 6] + ALPHABET[i & 63] for i in ids)


def decoded(tokenizer, ids, skip, text=None, begin="", end=""):
    result = tokenizer.decode(ids, skip_special_tokens=skip)
    if text is not None:
        for code, form in ("=", text), ("_", " " + text), ("+", begin + text + end), ("&", begin + " " + text + end):
            if result == form:
                return code
    return json.dumps(result, ensure_ascii=False).replace("\x7f", "\\u007f")


def golden(tokenizer, texts=None, lists=300):
    rng = random.Random(7)
    texts = texts or strings()
    around = tokenizer.encode("").ids
    begin, end = (tokenizer.decode(part, skip_special_tokens=False) for part in (around[:1], around[1:]))
    lines = [json.dumps({"begin": begin, "end": end}, ensure_ascii=False)]
    for text in texts:
        ids = tokenizer.encode(text).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text).ids
        tokenizer.encode_special_tokens = False
        fields = [encode_ids(ids)]
        if plain != ids:
            fields.append(encode_ids(plain))
        fields += [decoded(tokenizer, ids, skip, text, begin, end) for skip in (True, False)]
        lines.append("\t".join(fields))
    # Random tokens: mostly no UTF-8. Half of them from the bytes, where there are such tokens.
    size = tokenizer.get_vocab_size() + 3
    bytes_ = [tokenizer.token_to_id(token) for token in BYTES if tokenizer.token_to_id(token) is not None]
    bytes_ = bytes_ or [i for i in range(size) if tokenizer.id_to_token(i) and len(tokenizer.id_to_token(i)) == 1]
    for n in range(lists):
        ids = [rng.choice(bytes_) if rng.random() < 0.5 else rng.randrange(size) for _ in range(rng.randint(1, 8))]
        if n % 3 == 0:  # a real text, cut in the middle
            ids = tokenizer.encode(rng.choice(texts)).ids[: rng.randint(1, 12)] + ids[:2]
        lines.append("\t".join([encode_ids(ids), decoded(tokenizer, ids, True), decoded(tokenizer, ids, False)]))
    return "\n".join(lines) + "\n"


def write(name, tokenizer):
    with open(os.path.join(HERE, name + ".golden"), "w", encoding="utf-8", newline="\n") as file:
        file.write(golden(tokenizer, strings("strings-forms"), 100) if name in FORMS else golden(tokenizer))


def opt_from_parts():
    """The tokenizer that vocab.json, merges.txt and the settings beside them describe, and <s> as one
    more special token: tokenizer.json has it, special_tokens_map.json does not."""
    config = json.load(open(os.path.join(OPT, "tokenizer_config.json"), encoding="utf-8"))
    special = json.load(open(os.path.join(OPT, "special_tokens_map.json"), encoding="utf-8"))
    tokenizer = Tokenizer(models.BPE.from_file(os.path.join(OPT, "vocab.json"), os.path.join(OPT, "merges.txt")))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=config["add_prefix_space"])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in [*special.values(), "<s>"]])
    bos = config["bos_token"]
    assert config["add_bos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    return tokenizer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--train-forms", action="store_true")
    parser.add_argument("--stories")
    options = parser.parse_args()
    pinned = open(os.path.join(HERE, "requirements.txt")).read().strip()
    assert pinned == f"tokenizers=={tokenizers.__version__}", f"install {pinned}"
    if options.train:
        train()
    if options.train or options.train_forms:
        train_forms()
    for name in sorted(os.listdir(MODELS)):
        write(name, Tokenizer.from_file(os.path.join(MODELS, name, "tokenizer.json")))
    whole = Tokenizer.from_file(os.path.join(OPT, "tokenizer.json"))
    write("opt-icl", whole)
    assert golden(whole) == golden(opt_from_parts()), "the parts are not the whole"
    if options.stories:
        write("stories260k", Tokenizer.from_file(os.path.join(options.stories, "tokenizer.json")))


if __name__ == "__main__":
    main()
