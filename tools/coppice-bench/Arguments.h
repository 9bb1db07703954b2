// What coppice-bench is asked to do.
#pragma once
#include <string>
#include <vector>

struct Arguments {
  std::vector<std::string> files;
  std::vector<unsigned> threads = {1};
  std::vector<unsigned> prompts = {128}; // tokens of prefill
  std::vector<unsigned> contexts;        // tokens before those decoded; empty: the first prompt
  unsigned rounds = 5;                   // every file once a round, in turn
  unsigned decode = 32;                  // tokens decoded
  unsigned chunk = 128;                  // rows of a step at most
  bool stages = false;
  bool json = false;
};

/// Fills `arguments`; otherwise the exit code to leave with (0 after --help), messages printed.
int parseArguments(int argc, char **argv, Arguments &arguments);
