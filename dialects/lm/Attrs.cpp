// #lm.list: index lists, printed with inclusive ranges. Lists come from files and plans, so their
// number of entries is capped before anything is allocated for them.
#include "dialects/lm/LM.h"
#include "llvm/ADT/BitVector.h"
#include <algorithm>

using namespace mlir;
using namespace coppice::lm;

/// More rows than any tensor of a model has.
static constexpr int64_t maxEntries = int64_t(1) << 24;

Attribute IndexListAttr::parse(AsmParser &parser, Type) {
  SmallVector<int32_t> indices;
  auto parseEntry = [&]() -> ParseResult {
    SMLoc where = parser.getCurrentLocation();
    int32_t first, last;
    if (parser.parseInteger(first))
      return failure();
    last = first;
    if (succeeded(parser.parseOptionalKeyword("to")) && parser.parseInteger(last))
      return failure();
    if (last < first)
      return parser.emitError(where) << "range " << first << " to " << last
                                     << " runs backwards; list the numbers one by one instead";
    int64_t count = int64_t(last) - first + 1;
    if (count > maxEntries - int64_t(indices.size()))
      return parser.emitError(where) << "a list holds at most " << maxEntries << " numbers";
    for (int64_t i = 0; i < count; ++i)
      indices.push_back(int32_t(first + i));
    return success();
  };
  SMLoc where = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater, parseEntry, " in a list"))
    return {};
  return getChecked([&] { return parser.emitError(where); }, parser.getContext(),
                    ArrayRef<int32_t>(indices));
}

void IndexListAttr::print(AsmPrinter &printer) const {
  ArrayRef<int32_t> indices = getIndices();
  printer << "<";
  for (size_t begin = 0; begin < indices.size();) {
    size_t end = begin + 1;
    while (end < indices.size() && indices[end] == indices[end - 1] + 1)
      ++end;
    printer << (begin ? ", " : "") << indices[begin];
    // Two neighbours read better as two numbers.
    if (end - begin == 2)
      printer << ", " << indices[end - 1];
    else if (end - begin > 2)
      printer << " to " << indices[end - 1];
    begin = end;
  }
  printer << ">";
}

LogicalResult IndexListAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                    ArrayRef<int32_t> indices) {
  SmallVector<int32_t> sorted(indices);
  llvm::sort(sorted);
  if (!sorted.empty() && sorted.front() < 0)
    return emitError() << "list holds " << sorted.front() << ", which is negative";
  if (!sorted.empty() && sorted.back() >= maxEntries)
    return emitError() << "list holds " << sorted.back() << ", and no model has more than "
                       << maxEntries << " rows";
  auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    return emitError() << "list holds " << *twice << " twice";
  return success();
}

IndexListAttr IndexListAttr::range(MLIRContext *context, int32_t begin, int32_t end) {
  SmallVector<int32_t> indices;
  for (int32_t i = begin; i < end; ++i)
    indices.push_back(i);
  return get(context, indices);
}

IndexListAttr IndexListAttr::complement(int32_t extent) const {
  llvm::BitVector listed(extent);
  for (int32_t i : getIndices()) {
    assert(i < extent && "the list reaches beyond the extent");
    listed.set(i);
  }
  SmallVector<int32_t> rest;
  for (int32_t i = 0; i < extent; ++i)
    if (!listed.test(i))
      rest.push_back(i);
  return get(getContext(), rest);
}

IndexListAttr IndexListAttr::compose(IndexListAttr inner) const {
  SmallVector<int32_t> composed;
  for (int32_t i : inner.getIndices()) {
    assert(size_t(i) < size() && "the inner list reaches beyond this one");
    composed.push_back(getIndices()[i]);
  }
  return get(getContext(), composed);
}

bool IndexListAttr::isIdentity(int32_t extent) const {
  if (int64_t(size()) != extent)
    return false;
  for (int32_t i = 0; i < extent; ++i)
    if (getIndices()[i] != i)
      return false;
  return true;
}

int32_t IndexListAttr::extent() const {
  int32_t extent = 0;
  for (int32_t i : getIndices())
    extent = std::max(extent, i + 1);
  return extent;
}
