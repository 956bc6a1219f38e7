// Tile programs against the plain kernels of their nodes, bit by bit: every op, shapes that fill
// tiles and parts badly, every way of broadcasting, sums over all axes.
#include "autodiff/tile_program.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/simd.hpp"
#include "tests/support/op_calls.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Bit by bit, but that one NaN is as good as another.
template <class T>
bool same_bits(const T* a, const T* b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    if (std::memcmp(a + i, b + i, sizeof(T)) != 0 && (a[i] == a[i] || b[i] == b[i])) return false;
  return true;
}

// Memory with zones around it that are not to be touched. A NaN that is read would spoil a sum;
// with no zone, the sanitizer sees what is read outside.
template <class T>
class Guarded {
 public:
  Guarded(std::size_t count, std::size_t zone)
      : count_(count), zone_(zone), memory_(count + 2 * zone, std::numeric_limits<T>::quiet_NaN()) {
    before_ = memory_;
  }
  Guarded(const std::vector<T>& values, std::size_t zone) : Guarded(values.size(), zone) {
    std::ranges::copy(values, data());
    before_ = memory_;
  }
  T* data() { return memory_.data() + zone_; }
  bool zones_are_whole() const { return same_bytes(0, zone_) && same_bytes(zone_ + count_, zone_); }
  bool is_unchanged() const { return same_bytes(0, memory_.size()); }

 private:
  bool same_bytes(std::size_t first, std::size_t count) const {
    return count == 0 ||
           std::memcmp(memory_.data() + first, before_.data() + first, count * sizeof(T)) == 0;
  }

  std::size_t count_, zone_;
  std::vector<T> memory_, before_;
};

// Everything on a tape but its inputs, as one program; what nobody reads is written.
TileGroup whole_tape(const Tape& tape, const Shape& space, std::vector<NodeId> also_written = {}) {
  TileGroup group{space, {}, std::move(also_written)};
  std::vector<bool> read(tape.size(), false);
  for (NodeId id = static_cast<NodeId>(tape.size()) - 1; id >= 0; --id) {
    const Node& node = tape.node(id);
    if (is_input(node)) continue;
    REQUIRE(fits_tiles(node));
    REQUIRE(tile_space(tape, node) == space);
    group.nodes.push_back(id);
    if (!read[static_cast<std::size_t>(id)] || node.op->name == "sum") group.written.push_back(id);
    for (const NodeId in : node.inputs) read[static_cast<std::size_t>(in)] = true;
  }
  std::ranges::sort(group.nodes);
  std::ranges::sort(group.written);
  group.written.erase(std::unique(group.written.begin(), group.written.end()), group.written.end());
  return group;
}

struct SimdLimit {
  explicit SimdLimit(Simd most) { limit_simd(most); }
  ~SimdLimit() { limit_simd(Simd::kAvx512); }
};

// By write: the read in whose place it is written; none at random, each place taken once.
template <class T>
std::vector<std::size_t> shared_reads(const TileProgram<T>& program, Random& random) {
  const std::size_t none = program.reads().size();
  std::vector<std::size_t> shared(program.writes().size(), none);
  for (std::size_t w = 0; w < shared.size(); ++w)
    for (std::size_t r = 0; r < none; ++r)
      if (shared[w] == none && random.below(4) != 0 && program.may_share(w, r) &&
          std::ranges::find(shared, r) == shared.end())
        shared[w] = r;
  return shared;
}

template <class T>
void check_program(Tape& tape, const TileGroup& group, const Feed<double>& feed,
                   const std::vector<int>& threads = {1}, std::uint64_t seed = 0) {
  const Feed<T> values = testing::cast<T>(feed);
  std::vector<Expr> roots;
  for (const NodeId id : group.written) roots.push_back(tape.expr(id));
  const auto want = Interpreter<T>(tape, roots).run(values);
  for (const Simd kind : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
    CAPTURE(static_cast<int>(kind));
    const SimdLimit limit(kind);
    const TileProgram<T> program(tape, group);
    REQUIRE(program.writes() == group.written);
    for (const int n : threads) {
      CAPTURE(n);
      ThreadPool pool(n);
      Random random(seed + static_cast<std::uint64_t>(n));
      const auto shared =
          n == 1 ? std::vector<std::size_t>(program.writes().size(), program.reads().size())
                 : shared_reads(program, random);
      const std::size_t zone = n == 1 ? 0 : 64;
      std::vector<Guarded<T>> reads, writes;
      for (const NodeId id : program.reads())
        reads.emplace_back(values.at(input_name(tape.node(id))).data, zone);
      std::vector<T*> memory;
      for (Guarded<T>& read : reads) memory.push_back(read.data());
      for (std::size_t w = 0; w < want.size(); ++w) writes.emplace_back(want[w].data.size(), zone);
      for (std::size_t w = 0; w < want.size(); ++w)
        memory.push_back(shared[w] < reads.size() ? reads[shared[w]].data() : writes[w].data());
      Guarded<double> workspace((static_cast<std::size_t>(program.workspace_bytes()) + 7) / 8,
                                zone);
      const auto bound = program.bind(memory, reinterpret_cast<std::byte*>(workspace.data()));
      for (int run = 0; run < 1 + (n == 1); ++run)  // nothing is left over from an earlier run
        program.run(&pool, bound);
      for (std::size_t w = 0; w < want.size(); ++w) {
        CAPTURE(tape.describe(group.written[w]));
        CHECK(same_bits(memory[reads.size() + w], want[w].data.data(), want[w].data.size()));
        CHECK(writes[w].zones_are_whole());
      }
      for (std::size_t r = 0; r < reads.size(); ++r) {
        CHECK(reads[r].zones_are_whole());
        if (std::ranges::find(shared, r) == shared.end()) CHECK(reads[r].is_unchanged());
      }
      CHECK(workspace.zones_are_whole());
    }
  }
}

template <class T>
void check_call(const OpCall& call, std::uint64_t seed, const std::vector<int>& threads = {1}) {
  CAPTURE(call.name);
  Tape tape;
  Random random(seed);
  const Operands operands = random_operands(tape, call, random);
  const Expr y = call.apply(operands.in);
  if (is_input(tape.node(y)) || !fits_tiles(tape.node(y))) return;
  check_program<T>(tape, whole_tape(tape, tile_space(tape, tape.node(y))),
                   testing::cast<double>(operands.feed), threads, seed);
}

std::vector<const Op*> ops_of_tiles() {
  std::vector<const Op*> ops;
  for (const Op* op : all_ops())
    if (op->runs != nullptr || op->name == "sum") ops.push_back(op);
  return ops;
}

Shape with_last(std::vector<std::int64_t> sizes, std::int64_t n) {
  sizes.push_back(n);
  return Shape(std::move(sizes));
}

// A random program over one space: a tape of inputs that broadcast to it, ops and sums.
struct RandomTiles {
  Tape tape;
  Feed<double> feed;
  TileGroup group;

  RandomTiles(const Shape& space, std::uint64_t seed, int length, bool special = false) {
    Random random(seed);
    static const std::vector<const Op*> ops = ops_of_tiles();
    std::vector<Expr> values;
    for (int i = 0; i < 4; ++i)
      values.push_back(input(i == 0 ? space : random_operand_of(space, random), random, special));
    std::vector<NodeId> written;
    for (int tries = 0; tries < 50 * length && count() < length; ++tries) {
      const auto any = [&] { return values[pick(values.size(), random)]; };
      if (random.below(5) == 0) {
        const Expr x = any();
        if (x.shape() == space) sum(x, some_axes(space, random), random.coin());
        continue;
      }
      const Op& op = *ops[pick(ops.size(), random)];
      if (!op.elementwise) continue;
      std::vector<Expr> in;
      for (int i = 0; i < (op.arity == kAnyArity ? 2 : op.arity); ++i) in.push_back(any());
      Shape shape;
      for (const Expr& e : in) shape = broadcast("test", shape, e.shape());
      if (!(shape == space)) continue;
      const std::vector<Sample> samples = op.samples ? op.samples() : std::vector<Sample>(1);
      values.push_back(tape.append(op, in, samples[pick(samples.size(), random)].attributes));
      if (random.below(4) == 0) written.push_back(values.back().id);
    }
    group = whole_tape(tape, space, std::move(written));
  }

 private:
  static std::size_t pick(std::size_t n, Random& random) {
    return static_cast<std::size_t>(random.below(static_cast<std::int64_t>(n)));
  }
  static Axes some_axes(const Shape& space, Random& random) {
    Axes axes;
    for (int i = 0; i < space.rank(); ++i)
      if (random.coin()) axes.push_back(i);
    return axes;
  }
  int count() const {
    int nodes = 0;
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
      nodes += is_input(tape.node(id)) ? 0 : 1;
    return nodes;
  }
  Expr input(const Shape& shape, Random& random, bool special) {
    const std::string name = cat("x", feed.size());
    Tensor<double> value = cast<double>(random.tensor<float>(shape, {-1.5, 1.5}));
    const std::vector<double> odd = {0.0, -0.0, kNaN, kInfinity, -kInfinity, 1e-310, -1e-40, 3e38};
    for (double& x : value.data)
      if (special && random.below(3) == 0) x = odd[pick(odd.size(), random)];
    feed[name] = std::move(value);
    return tape.input(name, shape);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("tiles: every op has the bits of its plain kernel, however operands broadcast",
                   T, float, double) {
  std::uint64_t seed = 0;
  for (const Op* op : ops_of_tiles()) {
    for (const OpCall& call : calls_of(*op)) check_call<T>(call, ++seed, {1, 2});
    for (const OpCall& call : random_elementwise_calls(*op, 25, seed)) check_call<T>(call, ++seed);
  }
}

TEST_CASE_TEMPLATE("tiles: every op on runs of nearly the length of vectors, tiles and pieces", T,
                   float, double) {
  std::uint64_t seed = 0;
  for (const Op* op : ops_of_tiles()) {
    if (!op->elementwise) continue;
    const Attributes attributes = op->samples ? op->samples()[0].attributes : Attributes{};
    const auto arity = static_cast<std::size_t>(op->arity == kAnyArity ? 2 : op->arity);
    for (const std::int64_t n :
         {0, 1, 7, 8, 9, 95, 96, 97, 255, 256, 257, 1023, 1024, 1025, 4097}) {
      const std::vector<Shape> kinds = {{n}, {3, n}, {}, {3, 1}, {1, n}};
      // A space of one row, and one of rows for which operands are copied or found row by row.
      for (const Shape& space : {Shape{n}, Shape{3, n}}) {
        std::vector<Shape> shapes{space};
        while (shapes.size() < arity) {
          const Shape& next = kinds[(shapes.size() + ++seed) % kinds.size()];
          shapes.push_back(next.rank() > space.rank() ? Shape{} : next);
        }
        check_call<T>(op_call(*op, shapes, attributes), seed);
        std::ranges::reverse(shapes);
        if (arity > 1) check_call<T>(op_call(*op, shapes, attributes), seed);
      }
    }
  }
}

TEST_CASE_TEMPLATE("tiles: sums over any axes of one value, all in one program", T, float, double) {
  for (const Shape& space : {Shape{},
                             Shape{1},
                             Shape{0},
                             Shape{3, 0},
                             Shape{1, 1, 1},
                             Shape{4097},
                             Shape{1, 5000, 1},
                             Shape{40'000},
                             Shape{257, 1},
                             Shape{9, 1025},
                             Shape{300, 200},
                             Shape{3, 20'000},
                             Shape{20'000, 3},
                             Shape{50, 7, 100},
                             Shape{7, 1, 3, 1, 96},
                             Shape{2, 3, 4, 5, 97},
                             Shape{3, 5, 2, 8, 9},
                             Shape{2, 200, 3, 50},
                             Shape{2, 101},
                             Shape{2, 3, 4, 9}}) {
    CAPTURE(space);
    Tape tape;
    Random random(1);
    const Expr x = tape.input("x", space),
               row = tape.input("row",
                                with_last({}, space.rank() == 0 ? 1 : space[space.rank() - 1]));
    const Expr y = space.rank() == 0 ? tanh(x) : x * row;
    for (int bits = 0; bits < (1 << space.rank()); ++bits) {
      Axes axes;
      for (int i = 0; i < space.rank(); ++i)
        if ((bits >> i & 1) != 0) axes.push_back(i);
      sum(y, axes, bits % 2 == 0);
    }
    const Feed<double> feed = {{"x", random.tensor(x.shape())},
                               {"row", random.tensor(row.shape())}};
    // The value itself inside the program, and written as well.
    check_program<T>(tape, whole_tape(tape, space), feed, {1, 2, 3});
    if (!is_input(tape.node(y)))
      check_program<T>(tape, whole_tape(tape, space, {y.id}), feed, {1, 2, 3});
  }
}

TEST_CASE_TEMPLATE("tiles: random programs over shapes of rank 0 to 5", T, float, double) {
  const std::vector<std::int64_t> sizes = {0, 1, 1, 2, 3, 7, 8, 9, 33, 97, 255, 257, 1025, 4097};
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    std::vector<std::int64_t> axes(static_cast<std::size_t>(random.below(6)));
    std::int64_t total = 1;
    for (std::int64_t& n : axes) {
      do n = sizes[static_cast<std::size_t>(random.below(std::ssize(sizes)))];
      while (total * n > 6000 || (n == 0 && random.coin()));
      total *= n;
    }
    RandomTiles tiles(Shape(axes), seed, 3 + static_cast<int>(seed % 20));
    if (tiles.group.nodes.empty()) continue;
    check_program<T>(tiles.tape, tiles.group, tiles.feed, {1, 2}, seed);
  }
}

TEST_CASE_TEMPLATE("tiles: random programs in many parts have the same bits on 1, 2, 3 threads", T,
                   float, double) {
  std::uint64_t seed = 1000;
  for (const Shape& space : {Shape{70'001}, Shape{300, 200}, Shape{17, 3001}, Shape{6001, 9},
                             Shape{40, 30, 50}, Shape{5, 1, 100, 1, 97}, Shape{3, 2, 20, 4, 100}}) {
    CAPTURE(space);
    RandomTiles tiles(space, ++seed, 12);
    check_program<T>(tiles.tape, tiles.group, tiles.feed, {1, 2, 3}, seed);
  }
}

TEST_CASE_TEMPLATE("tiles: NaN, infinities, zeros of both signs and tiny numbers pass through", T,
                   float, double) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    RandomTiles tiles(seed % 3 == 0   ? Shape{300}
                      : seed % 3 == 1 ? Shape{5, 40}
                                      : Shape{2, 3, 130},
                      seed, 10, true);
    check_program<T>(tiles.tape, tiles.group, tiles.feed, {1, 2}, seed);
  }
}

TEST_CASE_TEMPLATE("tiles: the sum of one negative zero is what the plain kernel says", T, float,
                   double) {
  for (const Shape& space : {Shape{}, Shape{1}, Shape{1, 1}, Shape{3}, Shape{1, 2}}) {
    CAPTURE(space);
    Tape tape;
    const Expr x = tape.input("x", space);
    sum(-x, {}, true);
    sum(abs(x), {}, false);
    const Feed<double> feed = {{"x", Tensor<double>(space, 0.0)}};
    check_program<T>(tape, whole_tape(tape, space), feed, {1, 2});
  }
}

TEST_CASE_TEMPLATE("tiles: a program may have as many nodes, operands and values alive as it says",
                   T, float, double) {
  Random random(3);
  Feed<double> feed;
  for (const Shape& space : {Shape{5000}, Shape{9, 70}, Shape{400, 300}, Shape{256}, Shape{2, 101},
                             Shape{3, 5, 7}, Shape{257}}) {
    CAPTURE(space);
    const auto most = static_cast<int>(TileProgram<T>::max_nodes(space));
    Tape operands, alive;
    const auto input = [&](Tape& tape, const Shape& shape) {
      const std::string name = cat("x", feed.size());
      feed[name] = random.tensor(shape);
      return tape.input(name, shape);
    };
    for (int i = 0; i < most; ++i)
      where(input(operands, with_last({}, space[space.rank() - 1])), input(operands, space),
            input(operands, Shape{1}));
    check_program<T>(operands, whole_tape(operands, space), feed, {1, 2});
    std::vector<Expr> values{input(alive, space)};
    while (static_cast<int>(values.size()) < most / 2)
      values.push_back(values.back() * input(alive, Shape{}));
    Expr total = values.back();
    while (values.size() > 2) {
      values.pop_back();
      total = total - values.back();
    }
    sum(total, {-1});
    check_program<T>(alive, whole_tape(alive, space), feed, {1, 2, 3});
    feed.clear();
  }
}

TEST_CASE("tiles: a place is shared only with what is read element by element, and not later") {
  Tape tape;
  const Expr x = tape.input("x", {3, 4}), y = tape.input("y", {3, 4}), row = tape.input("row", {4});
  const Expr a = x * row, b = a + y, total = sum(b - x, {0});
  const TileProgram<float> program(tape, whole_tape(tape, {3, 4}, {a.id, b.id}));
  const auto share = [&](Expr write, Expr read) {
    const auto place = [](const std::vector<NodeId>& list, NodeId id) {
      return static_cast<std::size_t>(std::ranges::find(list, id) - list.begin());
    };
    return program.may_share(place(program.writes(), write.id), place(program.reads(), read.id));
  };
  CHECK_FALSE(share(a, x));  // read again by b - x
  CHECK_FALSE(share(b, x));
  CHECK_FALSE(share(a, y));  // read after a is written
  CHECK(share(b, y));
  CHECK_FALSE(share(b, row));
  CHECK_FALSE(share(total, y));
}
