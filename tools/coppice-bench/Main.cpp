// coppice-bench: rounds over the files, each figure beside what the machine gives in the same
// round.
#include "tools/Signals.h"
#include "tools/coppice-bench/Arguments.h"
#include "tools/coppice-bench/Peak.h"
#include "tools/coppice-bench/Progress.h"
#include "tools/coppice-bench/Report.h"
#include "tools/coppice-bench/Stream.h"
#include "tools/coppice-bench/Subject.h"
#include <algorithm>
#include <deque>

namespace {

/// What the first file reached in this round, with the same threads: speeds by length.
struct First {
  std::map<unsigned, double> prefill, decode;
};

double against(std::map<unsigned, double> &first, unsigned tokens, double speed) {
  double of = first.emplace(tokens, speed).first->second; // the first that comes is the first file
  return of > 0 ? speed / of : 0;
}

/// One round of one row. The plain read is taken before, between and after what is measured, and
/// the median of the three counts: one that was interrupted does not. False after printing what is
/// wrong.
bool measure(Subject &subject, Row &row, unsigned decoded, bool counts, First &first) {
  std::vector<double> prefills, decodes;
  Values reads;
  auto read = [&] {
    reads.push_back(streamBytesPerSecond(subject.work.weight_bytes, row.threads));
  };
  double dot = dotPeak(row.threads), fma = fmaPeak(row.threads);
  read();
  for (Measured &measured : row.prefill)
    prefills.push_back(subject.prefill(row.threads, measured.tokens));
  read();
  for (Measured &measured : row.decode)
    decodes.push_back(subject.decode(row.threads, measured.tokens));
  read();
  for (const std::vector<double> &speeds : {prefills, decodes})
    if (std::find(speeds.begin(), speeds.end(), 0) != speeds.end())
      return false;

  double stream = reads.median();
  if (counts) {
    row.stream.push_back(stream);
    row.dot.push_back(dot);
    row.fma.push_back(fma);
  }
  for (size_t i = 0; i < prefills.size(); ++i) {
    Measured &measured = row.prefill[i];
    double speed = prefills[i], ratio = against(first.prefill, measured.tokens, speed);
    if (!counts)
      continue;
    double products = double(subject.work.products) * speed +
                      double(subject.work.logit_products) * speed / measured.tokens;
    measured.speed.push_back(speed);
    measured.ofDot.push_back(dot > 0 ? products / dot : 0);
    measured.ofFma.push_back(fma > 0 ? products / fma : 0);
    measured.againstFirst.push_back(ratio);
  }
  for (size_t i = 0; i < decodes.size(); ++i) {
    Measured &measured = row.decode[i];
    double speed = decodes[i], ratio = against(first.decode, measured.tokens, speed);
    if (!counts)
      continue;
    double positions = measured.tokens + (decoded + 1) / 2.0; // on average
    double weights = speed * double(subject.work.weight_bytes);
    const coppice_info &info = subject.info;
    // Of a ring what lies in the window, which is what a step leaves of it.
    double seen = std::min<double>(positions, info.ring_positions - info.largest_step);
    double kv = speed * (positions * double(info.kv_bytes_per_position) +
                         seen * double(info.ring_bytes_per_position));
    measured.speed.push_back(speed);
    measured.weights.push_back(weights);
    measured.kv.push_back(kv);
    measured.ofStream.push_back(stream > 0 ? weights / stream : 0);
    measured.ofStreamWithKv.push_back(stream > 0 ? (weights + kv) / stream : 0);
    measured.againstFirst.push_back(ratio);
  }
  return true;
}

std::vector<Measured> lengths(const std::vector<unsigned> &tokens) {
  std::vector<Measured> measured(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i)
    measured[i].tokens = tokens[i];
  return measured;
}

} // namespace

int main(int argc, char **argv) {
  coppice::tools::handleLostFiles(nullptr);
  Arguments arguments;
  if (int code = parseArguments(argc, argv, arguments); code >= 0)
    return code;
  std::deque<Subject> subjects; // a Subject stays where it is
  for (const std::string &file : arguments.files)
    if (!subjects.emplace_back().open(file, arguments))
      return 1;
  std::vector<Row> rows;
  for (unsigned threads : arguments.threads)
    for (Subject &subject : subjects) {
      Row row;
      row.subject = &subject;
      row.threads = threads;
      row.prefill = lengths(subject.prompts);
      row.decode = lengths(subject.contexts);
      rows.push_back(std::move(row));
    }
  // Round 0 warms up and does not count.
  for (unsigned round = 0; round <= arguments.rounds; ++round) {
    size_t row = 0;
    // Not within what is timed.
    auto show = [&](const Row &next) {
      const std::string &path = next.subject->path;
      if (round == 0)
        showProgress("%s: warming up, threads: %u", path.c_str(), next.threads);
      else
        showProgress("%s: round %u of %u, threads: %u", path.c_str(), round, arguments.rounds,
                     next.threads);
    };
    for (size_t t = 0; t < arguments.threads.size(); ++t) {
      First first;
      for (Subject &subject : subjects) {
        show(rows[row]);
        if (!measure(subject, rows[row++], arguments.decode, round > 0, first))
          return 1;
      }
    }
  }
  if (arguments.stages)
    for (Row &row : rows) {
      Subject &subject = *row.subject;
      row.hasStages = true;
      showProgress("%s: stages, threads: %u", subject.path.c_str(), row.threads);
      if (!subject.prefillStages(row.threads, row.prefill.back().tokens, row.prefillStages) ||
          !subject.decodeStages(row.threads, row.decode.back().tokens, row.decodeStages))
        return 1;
    }
  clearProgress();
  if (arguments.json)
    printJson(rows, arguments);
  else
    printTables(rows);
  return 0;
}
