// The page that draws an artifact: what was cut, layer by layer, and what is left. Plain HTML, CSS
// and SVG, with its numbers in the text too: nothing is fetched, nothing runs, and it prints.
// Every drawn head is an element of its own with a title, so that tests and screen readers see it.
// Widths that a file claims never decide how much is drawn: a row has kCells cells at most.
#include "compiler/artifact/InspectContents.h"
#include "compiler/artifact/InspectStyle.h"
#include "runtime/host/Records.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace coppice;
using namespace coppice::inspect;

namespace {

constexpr uint32_t kCells = 640; // of a strip of neurons, and its width in pixels
constexpr uint32_t kHeads = 256; // drawn one by one; more share cells
constexpr uint32_t kHeadsWidth = 640;
constexpr uint8_t kLevels = 8; // shades between none and all

struct Page {
  const Contents &contents;
  llvm::raw_ostream &out;

  void write(llvm::StringRef title);
  void summary();
  void headMap();
  void expertMap();
  void neuronStrips();
  void bytesByPart();
  void memory(const artifact::EntryPoint &entry);
  void origin();

  void headRow(size_t number, const LayerShape &layer, uint32_t top, uint32_t cell);
  void row(llvm::StringRef name, uint64_t bytes, uint64_t longest, const llvm::Twine &share,
           const llvm::Twine &remark, llvm::StringRef kind = "");
  bool draws(const KeptSet LayerShape::*set) const;
};

} // namespace

/// Text from a file as HTML text or attribute: no markup, no control characters, valid UTF-8.
static std::string html(llvm::StringRef text) {
  std::string result;
  for (char c : llvm::json::fixUTF8(text))
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      if (uint8_t(c) < 0x20 || c == 0x7f)
        result += "\xef\xbf\xbd";
      else
        result += c;
    }
  return result;
}
static std::string html(const flatbuffers::String &text) {
  return html(llvm::StringRef(text.c_str(), text.size()));
}

static std::string percent(uint64_t part, uint64_t whole) {
  std::string text;
  if (whole)
    llvm::raw_string_ostream(text) << llvm::format("%.1f %%", 100.0 * double(part) / double(whole));
  return text;
}

/// Bytes as a reader remembers them.
static std::string human(uint64_t bytes) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (bytes < 10000)
    stream << bytes << " bytes";
  else if (bytes < 1000000)
    stream << llvm::format("%.1f KB", double(bytes) / 1e3);
  else if (bytes < 1000000000)
    stream << llvm::format("%.1f MB", double(bytes) / 1e6);
  else
    stream << llvm::format("%.1f GB", double(bytes) / 1e9);
  return text;
}

/// A bar of `part` in `whole`, in HTML.
static std::string bar(uint64_t part, uint64_t whole, llvm::StringRef kind = "") {
  std::string text;
  double share = whole ? std::min(1.0, double(part) / double(whole)) : 0;
  llvm::raw_string_ostream(text) << "<span class=\"bar " << kind
                                 << "\"><i style=\"width:" << llvm::format("%.2f", 100 * share)
                                 << "%\"></i></span>";
  return text;
}

/// " in bf16", or nothing where nothing is cached.
static std::string in(llvm::StringRef format) {
  return format.empty() ? "" : (" in <span id=\"kv-format\">" + format + "</span>").str();
}

void Page::summary() {
  const artifact::Model &model = *contents.metadata->model();
  const artifact::EntryPoint &entry = *contents.metadata->entry_points()->Get(0);
  uint64_t cache = kvBytesAtContext(cacheBytes(entry), entry, model.context());
  uint64_t cacheBefore = kvBytesAtContext(contents.cacheBytesBefore(), entry, model.context());
  auto tile = [&](llvm::StringRef name, llvm::StringRef id, uint64_t value,
                  const llvm::Twine &note) {
    out << "<div class=\"tile\"><h3>" << name << "</h3><p class=\"big\" id=\"" << id << "\">"
        << grouped(value) << "</p>" << note << "</div>\n";
  };
  out << "<section class=\"tiles\">\n";
  tile("parameters left", "parameters", model.parameters(),
       bar(model.parameters(), model.parameters_before()) +
           "<p>of <span id=\"parameters-before\">" + grouped(model.parameters_before()) +
           "</span> (" + percent(model.parameters(), model.parameters_before()) + ")" +
           (model.active_parameters() == model.parameters()
                ? ""
                : ", <span id=\"active-parameters\">" + grouped(model.active_parameters()) +
                      "</span> active for each token") +
           "</p>");
  tile("bytes of the file", "file-bytes", contents.prefix.file_bytes,
       "<p>weights: " + percent(contents.weightBytes, contents.prefix.file_bytes) + " of the file" +
           (contents.weightElements
                ? ", <span id=\"bits-per-weight\">" + contents.bitsPerWeight() + "</span> bits each"
                : "") +
           "</p>");
  tile("KV cache, full context", "kv-bytes-at-context", cache,
       bar(cache, cacheBefore) + "<p>bytes" + in(contents.kvFormat()) +
           ", of <span id=\"kv-bytes-before\">" + grouped(cacheBefore) +
           "</span> with every head</p>");
  out << "</section>\n";
}

bool Page::draws(const KeptSet LayerShape::*set) const {
  for (const LayerShape &layer : contents.layers)
    if ((layer.*set).before)
      return true;
  return false;
}

void Page::headRow(size_t number, const LayerShape &layer, uint32_t top, uint32_t cell) {
  const KeptSet &heads = layer.heads;
  uint32_t cells = std::min(heads.before, kHeads);
  uint32_t group = layer.headsPerKvHead();
  bool one = cells == heads.before; // a cell is a head
  bool showGroups = one && group > 1;
  std::vector<uint8_t> shares = heads.shares(cells, kLevels);
  std::vector<uint8_t> kvShares = layer.kvHeads.shares(std::min(layer.kvHeads.before, kHeads), 1);
  if (!layer.attention) {
    shares.assign(shares.size(), 0);
    kvShares.assign(kvShares.size(), 0);
  }
  uint32_t left = 0, size = cell - 2;
  for (uint32_t i = 0; i < cells; ++i, left += cell) {
    if (showGroups && i && i % group == 0)
      left += 6;
    out << "<rect x=\"" << left << "\" y=\"" << top << "\" width=\"" << size << "\" height=\""
        << size << "\" class=\"";
    if (shares[i] == 0)
      out << "cut";
    else if (shares[i] == kLevels)
      out << "kept";
    else
      out << "kept s" << unsigned(shares[i]);
    out << "\"><title>layer " << number << ", ";
    if (one)
      out << "head " << i;
    else
      out << "heads from " << uint64_t(i) * heads.before / cells;
    out << (shares[i] == 0         ? ": cut"
            : shares[i] == kLevels ? ": kept"
                                   : ": some kept")
        << "</title></rect>";
    if (showGroups && (i + 1) % group == 0) {
      uint32_t kv = i / group, width = group * cell - 2;
      out << "<rect x=\"" << left + cell - 2 - width << "\" y=\"" << top + cell << "\" width=\""
          << width << "\" height=\"4\" class=\"" << (kvShares[kv] ? "kv" : "kvcut")
          << "\"><title>layer " << number << ", KV head " << kv << ": "
          << (kvShares[kv] ? "kept" : "cut") << "</title></rect>";
    }
  }
}

void Page::headMap() {
  if (!draws(&LayerShape::heads))
    return;
  uint32_t most = 1, groups = 0;
  bool together = false; // some cells stand for several heads
  for (const LayerShape &layer : contents.layers) {
    uint32_t cells = std::min(layer.heads.before, kHeads);
    most = std::max(most, cells);
    together |= cells != layer.heads.before;
    if (cells == layer.heads.before && layer.headsPerKvHead() > 1)
      groups = std::max(groups, layer.kvHeads.before);
  }
  uint32_t cell = std::min<uint32_t>(24, std::max<uint32_t>(8, kHeadsWidth / most));
  uint32_t gaps = groups ? (groups - 1) * 6 : 0, pitch = cell + (groups ? 8 : 0);
  uint32_t labels = 44, counts = 150, head = 8;
  uint32_t width = labels + most * cell + gaps + counts;
  uint64_t height = head + uint64_t(contents.layers.size()) * pitch;
  out << "<section>\n<h2>Attention heads</h2>\n<p class=\"legend\"><b class=\"kept\"></b> kept "
         "<b class=\"cut\"></b> cut";
  if (groups)
    out << " <b class=\"kv\"></b> KV head kept <b class=\"kvcut\"></b> KV head cut, with its cache";
  if (together)
    out << " &middot; a paler cell: some of its heads kept";
  out << " &middot; a row is a layer</p>\n<div class=\"scroll\"><svg id=\"heads\" width=\"" << width
      << "\" height=\"" << height << "\" viewBox=\"0 0 " << width << ' ' << height
      << "\" role=\"img\" aria-label=\"heads kept and cut, by layer\">\n";
  for (size_t i = 0; i < contents.layers.size(); ++i) {
    const LayerShape &layer = contents.layers[i];
    uint64_t top = head + uint64_t(i) * pitch, middle = top + (cell - 2) / 2;
    out << "<g id=\"heads-" << i << "\"><text class=\"layer\" x=\"36\" y=\"" << middle << "\">" << i
        << "</text><g transform=\"translate(" << labels << ")\">";
    headRow(i, layer, uint32_t(top), cell);
    out << "</g><text x=\"" << labels + most * cell + gaps + 10 << "\" y=\"" << middle << "\">";
    if (!layer.attention)
      out << "block cut";
    else
      out << grouped(layer.heads.count) << " of " << grouped(layer.heads.before);
    if (layer.attention && layer.headsPerKvHead() != 1)
      out << ", KV " << grouped(layer.kvHeads.count) << " of " << grouped(layer.kvHeads.before);
    out << "</text></g>\n";
  }
  out << "</svg></div>\n</section>\n";
}

void Page::expertMap() {
  if (!draws(&LayerShape::experts))
    return;
  uint32_t most = 1;
  for (const LayerShape &layer : contents.layers)
    most = std::max(most, std::min(layer.experts.before, kCells));
  uint32_t cell = std::min<uint32_t>(24, std::max<uint32_t>(1, kCells / most));
  uint32_t height = std::max<uint32_t>(8, std::min<uint32_t>(24, cell)), gap = cell > 4 ? 2 : 0;
  uint32_t labels = 44, width = labels + most * cell + 150, pitch = height + 2;
  out << "<section>\n<h2>Experts</h2>\n<p class=\"legend\"><b class=\"kept\"></b> kept "
         "<b class=\"cut\"></b> cut &middot; a row is a layer; each token is sent to "
      << contents.metadata->entry_points()->Get(0)->picks()
      << " of those that are kept</p>\n<div class=\"scroll\"><svg id=\"experts\" width=\"" << width
      << "\" height=\"" << 8 + contents.layers.size() * pitch
      << "\" role=\"img\" aria-label=\"experts kept and cut, by layer\">\n";
  for (size_t i = 0; i < contents.layers.size(); ++i) {
    const LayerShape &layer = contents.layers[i];
    uint64_t top = 8 + uint64_t(i) * pitch, middle = top + height / 2;
    out << "<g id=\"experts-" << i << "\"><text class=\"layer\" x=\"36\" y=\"" << middle << "\">"
        << i << "</text>";
    uint32_t cells = std::min(layer.experts.before, kCells);
    std::vector<uint8_t> shares = layer.experts.shares(cells, 1);
    for (uint32_t c = 0; c < cells; ++c)
      out << "<rect x=\"" << labels + c * cell << "\" y=\"" << top << "\" width=\"" << cell - gap
          << "\" height=\"" << height << "\" class=\"" << (layer.ffn && shares[c] ? "kept" : "cut")
          << "\"/>";
    out << "<text x=\"" << labels + most * cell + 10 << "\" y=\"" << middle << "\">";
    if (!layer.experts.before)
      out << "no experts";
    else if (layer.ffn)
      out << grouped(layer.experts.count) << " of " << grouped(layer.experts.before);
    else
      out << "block cut";
    out << "</text></g>\n";
  }
  out << "</svg></div>\n</section>\n";
}

void Page::neuronStrips() {
  if (!draws(&LayerShape::neurons))
    return;
  uint32_t widest = 1;
  for (const LayerShape &layer : contents.layers)
    widest = std::max(widest, layer.neurons.before);
  bool many = contents.layers.size() > 24;
  uint32_t strip = many ? 8 : 14, pitch = strip + (many ? 6 : 12), labels = 44, head = 8;
  uint32_t width = labels + kCells + 190;
  uint64_t height = head + uint64_t(contents.layers.size()) * pitch;
  out << "<section>\n<h2>FFN neurons</h2>\n<p class=\"legend\"><b class=\"kept\"></b> kept "
         "<b class=\"cut\"></b> cut &middot; ";
  if (llvm::all_of(contents.layers, [](const LayerShape &layer) { return layer.neurons.recorded; }))
    out << "first neuron at the left; where one column stands for several, the deeper, the more of "
           "them are kept";
  else
    out << "the artifact records how many are kept, but not which: a paler strip stands for some "
           "of the layer's neurons";
  out << " &middot; the line below is the share kept</p>\n<div class=\"scroll\"><svg "
         "id=\"neurons\" width=\""
      << width << "\" height=\"" << height << "\" viewBox=\"0 0 " << width << ' ' << height
      << "\" role=\"img\" aria-label=\"neurons kept and cut, by layer\">\n";
  for (size_t i = 0; i < contents.layers.size(); ++i) {
    const LayerShape &layer = contents.layers[i];
    const KeptSet &neurons = layer.neurons;
    uint32_t cells = std::min(neurons.before, kCells);
    // Layers of different widths are drawn to one scale.
    double full = double(kCells) * neurons.before / widest, cell = cells ? full / cells : 0;
    uint64_t top = head + uint64_t(i) * pitch;
    out << "<g id=\"neurons-" << i << "\"><title>layer " << i
        << "</title><text class=\"layer\" x=\"36\" y=\"" << top + strip / 2 << "\">" << i
        << "</text><rect class=\"cut\" x=\"" << labels << "\" y=\"" << top << "\" width=\""
        << llvm::format("%.2f", full) << "\" height=\"" << strip << "\"/>";
    std::vector<uint8_t> shares = neurons.shares(cells, kLevels);
    if (!layer.ffn)
      shares.assign(shares.size(), 0);
    for (unsigned level = 1; level <= kLevels; ++level) {
      std::string path;
      llvm::raw_string_ostream stream(path);
      for (uint32_t first = 0, end; first < cells; first = end) {
        end = first + 1;
        if (shares[first] != level)
          continue;
        while (end < cells && shares[end] == level)
          ++end;
        double span = (end - first) * cell;
        stream << llvm::format("M%.2f %llu", labels + first * cell, (unsigned long long)top)
               << llvm::format("h%.2fv%u", span, strip) << llvm::format("h%.2fz", -span);
      }
      if (path.empty())
        continue;
      out << "<path class=\"kept";
      if (level != kLevels)
        out << " s" << level;
      out << "\" d=\"" << path << "\"/>";
    }
    uint64_t kept = layer.ffn ? neurons.count : 0;
    double share = neurons.before ? full * double(kept) / neurons.before : 0;
    out << "<rect class=\"share\" x=\"" << labels << "\" y=\"" << top + strip + 1 << "\" width=\""
        << llvm::format("%.2f", share) << "\" height=\"" << (many ? 2 : 4) << "\"/><text x=\""
        << labels + kCells + 10 << "\" y=\"" << top + strip / 2 << "\">";
    if (layer.experts.before)
      out << "experts";
    else if (layer.ffn)
      out << grouped(kept) << " of " << grouped(neurons.before) << " ("
          << percent(kept, neurons.before) << ")";
    else
      out << "block cut";
    out << "</text></g>\n";
  }
  out << "</svg></div>\n</section>\n";
}

void Page::row(llvm::StringRef name, uint64_t bytes, uint64_t longest, const llvm::Twine &share,
               const llvm::Twine &remark, llvm::StringRef kind) {
  out << "<tr><th>" << name << "</th><td class=\"number\">" << grouped(bytes)
      << "</td><td class=\"wide\">" << bar(bytes, longest, kind) << "</td>";
  if (!share.isTriviallyEmpty())
    out << "<td class=\"number\">" << share << "</td>";
  out << "<td>" << remark << "</td></tr>\n";
}

void Page::bytesByPart() {
  uint64_t file = contents.prefix.file_bytes, longest = 0;
  for (const RoleBytes &role : contents.roles)
    longest = std::max(longest, role.bytes);
  auto part = [&](llvm::StringRef name, uint64_t bytes, const llvm::Twine &remark,
                  llvm::StringRef kind) {
    row(name, bytes, longest, percent(bytes, file), remark, kind);
  };
  out << "<section>\n<h2>Bytes by part</h2>\n<p class=\"legend\"><b class=\"kept\"></b> weights "
         "<b class=\"other\"></b> everything else &middot; the longest bar is the largest "
         "weight</p>\n<div class=\"scroll\"><table id=\"bytes\">\n";
  for (const RoleBytes &role : contents.roles)
    part(html(role.role), role.bytes, grouped(role.count) + " &times; " + html(role.formats), "");
  part("code", contents.prefix.code.bytes, "kernels, ready to run", "other");
  part("tokenizer", contents.tokenizerBytes, "", "other");
  part("metadata", contents.metadataBytes(), "", "other");
  part("prefix, alignment", contents.paddingBytes + sizeof(coppice_prefix), "", "other");
  out << "<tr class=\"total\"><th>file</th><td class=\"number\">" << grouped(file)
      << "</td><td class=\"wide\"></td><td></td><td>" << human(file)
      << "</td></tr>\n</table></div>\n</section>\n";
}

void Page::memory(const artifact::EntryPoint &entry) {
  const artifact::Model &model = *contents.metadata->model();
  CacheBytes position = cacheBytes(entry), before = contents.cacheBytesBefore();
  uint64_t arena = entry.memory()->arena_bytes_per_row();
  uint64_t cache = kvBytesAtContext(position, entry, model.context());
  uint64_t all = kvBytesAtContext(before, entry, model.context());
  auto parts = [&](const CacheBytes &bytes) {
    std::string text = grouped(bytes.plain) + " a position";
    if (const artifact::RingPlan *ring = entry.ring())
      text += ", in rings " + grouped(bytes.ring) + " for " + grouped(ring->positions()) +
              " positions at most";
    return text;
  };
  uint64_t longest = std::max({contents.weightBytes, cache, all});
  out << "<section>\n<h2>Memory that it takes to run</h2>\n<div class=\"scroll\"><table "
         "id=\"memory\">\n";
  row("weights, mapped", contents.weightBytes, longest, "",
      human(contents.weightBytes) + ", shared by all sessions");
  row("KV cache of a session", cache, longest, "",
      human(cache) + ": " + parts(position) + "; " + grouped(model.context()) + " positions");
  row("&hellip; with every head", all, longest, "",
      human(all) + ": " + parts(before) + ", in the same format", "other");
  row("arena for one token", arena, longest, "",
      "activations; a step of 64 tokens takes " +
          human(arena < UINT64_MAX / 64 ? arena * 64 : UINT64_MAX));
  out << "</table></div>\n</section>\n";
}

void Page::origin() {
  const artifact::Artifact &metadata = *contents.metadata;
  const artifact::Model &model = *metadata.model();
  auto fact = [&](llvm::StringRef name, llvm::StringRef id, const llvm::Twine &value,
                  bool code = false) {
    out << "<tr><th>" << name << "</th><td" << (code ? " class=\"code\"" : "") << " id=\"" << id
        << "\">" << value << "</td></tr>\n";
  };
  out << "<section>\n<h2>Target and origin</h2>\n<table class=\"facts\">\n";
  fact("vocabulary", "vocabulary", grouped(model.vocabulary()));
  fact("context", "context", grouped(model.context()));
  // The ids of the second and further entry points end with -2, -3, ...
  const auto &entries = *metadata.entry_points();
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const artifact::EntryPoint &entry = *entries[i];
    std::string suffix = i ? "-" + std::to_string(i + 1) : "";
    auto own = [&](llvm::StringRef name, llvm::StringRef id, const llvm::Twine &value,
                   bool code = false) { fact(name, (id + suffix).str(), value, code); };
    own("target", "target", html(*entry.target()));
    std::string list;
    if (entry.features())
      for (const flatbuffers::String *feature : *entry.features())
        list += (list.empty() ? "" : ", ") + html(*feature);
    own("the machine must have", "features", list.empty() ? "nothing beyond" : list);
    list.clear();
    for (const artifact::Kernel *kernel : *entry.kernels())
      list += (list.empty() ? "" : ", ") + html(*kernel->name());
    own("kernels", "kernels", list);
    own("bytes of code", "code-bytes", grouped(entry.code_bytes()));
    own("stages of a step", "stages", grouped(runtime::countStages(entry).stages));
    own("hash of the plan", "plan", hashText(entry.plan()).value_or("none: nothing was planned"),
        true);
  }
  fact("hash of the checkpoint", "source",
       hashText(metadata.provenance()->source()).value_or("unknown"), true);
  if (metadata.provenance()->calibrated())
    fact("quantized weights", "calibrated", "chosen by a text's statistics (coppice calibrate)");
  fact("compiler", "compiler", html(*metadata.provenance()->compiler()));
  out << "</table>\n</section>\n";
}

void Page::write(llvm::StringRef title) {
  const artifact::Model &model = *contents.metadata->model();
  std::string name = html(title);
  std::string targets;
  for (const artifact::EntryPoint *entry : *contents.metadata->entry_points())
    targets += (targets.empty() ? "" : ", ") + html(*entry->target());
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>"
      << name << "</title>\n<style>\n"
      << kStyle << "</style>\n</head>\n<body>\n<header><h1>" << name
      << "</h1><p><span id=\"family\">" << html(*model.family()) << "</span>, "
      << grouped(contents.layers.size()) << " layers, for " << targets << "</p></header>\n";
  summary();
  headMap();
  expertMap();
  neuronStrips();
  bytesByPart();
  // Entry points over one set of weights take the same memory: it is drawn for the first.
  memory(*contents.metadata->entry_points()->Get(0));
  origin();
  out << "<footer>Drawn by coppice inspect --html. Every byte of the artifact was verified "
         "first.</footer>\n</body>\n</html>\n";
}

void coppice::inspect::writeHtml(const Contents &contents, llvm::StringRef title,
                                 llvm::raw_ostream &out) {
  Page{contents, out}.write(title);
}
