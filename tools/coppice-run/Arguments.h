// What coppice-run is asked to do.
#pragma once
#include "coppice/coppice.h"
#include <string>
#include <vector>

struct Arguments {
  std::string file;
  bool hasPrompt = false; // else tokens
  std::string prompt;
  std::vector<int32_t> tokens;
  bool hasCount = false;
  uint32_t count = 128; // tokens to generate; without hasCount 0 where logits are asked for
  std::string target;   // empty: the best that the machine can run
  std::string logits;   // file to write, or empty
  coppice_sampling sampling = {0, 0, 1, 0};
  uint32_t threads = 0; // 0: the engine's choice
  uint32_t context = 0; // 0: the artifact's
  bool printTokens = false, echo = false, quiet = false, skipWeightCheck = false, pin = false;
};

/// Fills `arguments`; otherwise the exit code to leave with (0 after --help), messages printed.
/// Reads a prompt of "-" from standard input. -1: go on.
int parseArguments(int argc, char **argv, Arguments &arguments);
