#include "experiments/evaluations/partition.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace jacquard::experiments {
namespace {

using Row = std::vector<double>;

// The largest sum of one element in every row and column of a square matrix: shortest augmenting
// paths over dual prices, row by row (Kuhn 1955, in the form of Jonker and Volgenant 1987).
double best_matching(const std::vector<Row>& gain) {
  const std::size_t n = gain.size(), kNone = n;
  constexpr double kFar = std::numeric_limits<double>::infinity();
  Row row_price(n, 0), column_price(n + 1, 0);
  std::vector<std::size_t> row_of(n + 1, kNone), before(n + 1, kNone);  // column n: the start
  for (std::size_t row = 0; row < n; ++row) {
    std::size_t at = n;
    row_of[n] = row;
    Row least(n, kFar);
    std::vector<bool> done(n + 1, false);
    while (row_of[at] != kNone) {
      done[at] = true;
      const std::size_t from = row_of[at];
      std::size_t next = kNone;
      double step = kFar;
      for (std::size_t c = 0; c < n; ++c) {
        if (done[c]) continue;
        const double reduced = -gain[from][c] - row_price[from] - column_price[c];
        if (reduced < least[c]) {
          least[c] = reduced;
          before[c] = at;
        }
        if (least[c] < step) {
          step = least[c];
          next = c;
        }
      }
      for (std::size_t c = 0; c <= n; ++c)
        if (done[c]) {
          row_price[row_of[c]] += step;
          column_price[c] -= step;
        } else if (c < n) {
          least[c] -= step;
        }
      at = next;
    }
    for (; at != n; at = before[at]) row_of[at] = row_of[before[at]];
  }
  double sum = 0;
  for (std::size_t c = 0; c < n; ++c) sum += gain[row_of[c]][c];
  return sum;
}

double entropy(const Row& counts, double all) {
  double sum = 0;
  for (const double count : counts)
    if (count > 0) sum -= count / all * std::log(count / all);
  return sum;
}

}  // namespace

Agreement agreement(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  const std::size_t parts = 1 + static_cast<std::size_t>(std::max(*std::ranges::max_element(a),
                                                                  *std::ranges::max_element(b)));
  const double examples = static_cast<double>(a.size());
  std::vector<Row> together(parts, Row(parts, 0));
  Row of_a(parts, 0), of_b(parts, 0), all;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<std::size_t>(a[i]), y = static_cast<std::size_t>(b[i]);
    together[x][y] += 1;
    of_a[x] += 1;
    of_b[y] += 1;
  }
  for (const Row& row : together) all.insert(all.end(), row.begin(), row.end());
  const double both = entropy(of_a, examples) + entropy(of_b, examples);
  return {best_matching(together) / examples,
          both > 0 ? 2 * (both - entropy(all, examples)) / both : 1};
}

}  // namespace jacquard::experiments
