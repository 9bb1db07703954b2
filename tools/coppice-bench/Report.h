// What was measured, and how it is printed.
#pragma once
#include "tools/coppice-bench/Subject.h"
#include "tools/coppice-bench/Values.h"
#include <cstdio>

/// One length of prefill, or one context of decoding.
struct Measured {
  unsigned tokens = 0;
  Values speed;          // tokens per second
  Values weights, kv;    // bytes per second; of decoding
  Values ofStream;       // of decoding: weights alone
  Values ofStreamWithKv; // of decoding: both
  Values ofDot, ofFma;   // of prefill
  Values againstFirst;   // against the first file
};

/// One file with one number of threads.
struct Row {
  Subject *subject = nullptr;
  unsigned threads = 0;
  std::vector<Measured> prefill, decode;
  Values stream, dot, fma; // bytes and multiplications per second
  bool hasStages = false;
  Subject::Kinds prefillStages, decodeStages;
};

void printTables(const std::vector<Row> &rows);
void printJson(const std::vector<Row> &rows, const Arguments &arguments);
