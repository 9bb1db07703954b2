// What coppice-bench is asked to do.
#pragma once
#include <string>
#include <vector>

struct Arguments {
  std::vector<std::string> files;
  unsigned threads = 1;
  unsigned rounds = 5;   // every file once a round, in turn
  unsigned prompt = 128; // tokens of prefill
  unsigned decode = 32;  // tokens decoded after it
  bool json = false;
};

/// Fills `arguments`; otherwise the exit code to leave with (0 after --help), messages printed.
int parseArguments(int argc, char **argv, Arguments &arguments);
