"""Change a tokenizer.json in place.

usage: edit_tokenizer.py FILE JSON         the fields of this object take the places of the file's
       edit_tokenizer.py FILE --add TEXT   one more added token, with the next id
"""
import json
import sys

path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    data = json.load(file)
if sys.argv[2] == "--add":
    last = max([*data["model"]["vocab"].values(), *(token["id"] for token in data["added_tokens"])])
    data["added_tokens"].append({"id": last + 1, "content": sys.argv[3], "single_word": False, "lstrip": False,
                                 "rstrip": False, "normalized": False, "special": True})
else:
    data.update(json.loads(sys.argv[2]))
with open(path, "w", encoding="utf-8") as file:
    json.dump(data, file, ensure_ascii=False)
