// One artifact under measurement.
#pragma once
#include "coppice/coppice.h"
#include <string>
#include <vector>

class Subject {
public:
  /// False after printing what is wrong.
  bool open(const std::string &path, unsigned threads, unsigned positions);
  ~Subject();

  /// Tokens per second of a prefill of `tokens` tokens into an empty session, and of decoding
  /// `steps` more one by one. Token ids are fixed: the speed does not depend on them.
  bool run(unsigned tokens, unsigned steps, double &prefill, double &decode);

  std::string path;
  coppice_info info{};

private:
  coppice_model *model = nullptr;
  coppice_engine *engine = nullptr;
  coppice_session *session = nullptr;
  void *memory = nullptr;
  std::vector<float> logits;
};
