// One artifact under measurement: its engines, and its sessions, filled before anything is timed.
#pragma once
#include "coppice/coppice.h"
#include "tools/coppice-bench/Arguments.h"
#include <map>
#include <string>
#include <vector>

class Subject {
public:
  /// What is measured of it: that of the arguments which its context allows.
  std::vector<unsigned> prompts, contexts;

  Subject() = default;
  Subject(const Subject &) = delete;
  Subject &operator=(const Subject &) = delete;
  ~Subject();

  /// Opens it and fills its sessions. False after printing what is wrong.
  bool open(const std::string &path, const Arguments &arguments);

  /// Tokens per second; 0 after printing what is wrong. Token ids are fixed: the speed does not
  /// depend on them.
  double prefill(unsigned threads, unsigned tokens);
  double decode(unsigned threads, unsigned context);

  /// Seconds of each kind of stage, by the kernel's name: of a prefill, or of one token decoded.
  struct Kind {
    unsigned stages = 0;
    double seconds = 0;
  };
  using Kinds = std::map<std::string, Kind>;
  bool prefillStages(unsigned threads, unsigned tokens, Kinds &kinds);
  bool decodeStages(unsigned threads, unsigned context, Kinds &kinds);

  std::string path;
  coppice_info info{};
  coppice_work work{};

private:
  coppice_session *session(unsigned positions);
  coppice_engine *engine(unsigned threads) { return engines[threads]; }
  bool failed(coppice_status status) const;
  /// Says which lengths are not measured, so that a row that is not there is no riddle.
  void noteLeftOut(const Arguments &arguments) const;
  bool watched(unsigned threads, coppice_session *session, size_t count, Kinds &kinds);

  unsigned steps = 0, chunk = 0;
  coppice_model *model = nullptr;
  std::map<unsigned, coppice_engine *> engines; // by threads
  coppice_session *fresh = nullptr;             // for prefills
  std::map<unsigned, coppice_session *> filled; // by context
  std::vector<void *> memories;                 // of the sessions
  std::vector<int32_t> text;                    // as long as anything measured
  std::vector<float> logits;
};
