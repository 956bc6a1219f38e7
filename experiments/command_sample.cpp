#include <algorithm>
#include <ostream>

#include "autodiff/error.hpp"
#include "experiments/bound_plan.hpp"
#include "experiments/commands.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/encoding.hpp"
#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/finished_run.hpp"
#include "experiments/npy.hpp"
#include "experiments/picture.hpp"
#include "experiments/recording.hpp"

namespace jacquard::experiments {
namespace {

std::string wanted(const SampleCommand& command, const Spec& spec) {
  if (!command.what.empty()) return command.what;
  if (std::ranges::any_of(spec.model.define, [](const auto& d) { return d.first == "samples"; }))
    return "samples";
  if (spec.model.state.empty())
    throw SpecError(
        "sample: the model has no state and no definition 'samples'; say what with "
        "--what \"an expression\"");
  return spec.model.state[0].name;
}

class Sampler {
 public:
  Sampler(FinishedRun& run, ThreadPool& pool, std::uint64_t seed)
      : run_(run), spec_(model_alone(run.spec())), seed_(seed), pool_(pool) {
    spec_.model.state = run.spec().model.state;
    batch_ = run.spec().train->batch;
    inputs_ = example_shapes(spec_);
    recording_ = record(spec_, inputs_, batch_, run.problems());
    run.problems().throw_if_any();
  }

  void update(std::int64_t times) {
    if (times == 0) return;
    BoundPlan bound(recording_, {{}, recording_.model->state_updates(), {}}, spec_, run_.epoch(),
                    run_.values(), pool_);
    read_data(bound);
    for (std::int64_t i = 0; i < times; ++i) bound.plan.run(seed_, next_step_++);
  }

  Tensor<float> value(const std::string& text) {
    const Expr e = recording_.model->expression(text, "sample");
    if (e.shape().rank() == 0)
      throw SpecError(cat("sample: '", text, "' is one number; samples have rows"));
    BoundPlan bound(recording_, {{e}, {}, {}}, spec_, run_.epoch(), run_.values(), pool_);
    read_data(bound);
    bound.plan.run(seed_, next_step_++);
    const std::span<const float> out = bound.plan.output(0);
    return {e.shape(), {out.begin(), out.end()}};
  }

 private:
  // Of the data, it reads the first examples of the training part.
  void read_data(BoundPlan& bound) {
    if (std::ranges::none_of(inputs_, [&](const auto& i) { return bound.plan.has_input(i.first); }))
      return;
    const DataSet& train = run_.set("train");
    if (train.count() < batch_)
      throw SpecError(cat("sample: the batch of ", batch_, " is larger than the ", train.count(),
                          " training examples"));
    bound.read_from(train, batch_);
    bound.gather(0);
  }

  FinishedRun& run_;
  Spec spec_;
  std::uint64_t seed_;
  ThreadPool& pool_;
  std::int64_t batch_ = 0;
  std::map<std::string, Shape> inputs_;
  Recording recording_;
  std::uint64_t next_step_ = kFirstMonitorStep;
};

// What the samples show as before the preparation of the data, and the size of their image; nothing
// where they are not shaped like x.
std::optional<Picture> picture_of(FinishedRun& run, const Tensor<float>& samples) {
  const Spec& spec = run.spec();
  if (!spec.data || samples.shape.rank() != 2) return std::nullopt;
  const auto inputs = example_shapes(spec);
  const auto x = inputs.find("x");
  if (x == inputs.end() || x->second.rank() != 1 || x->second[0] != samples.shape[1] ||
      samples.shape[1] == 2)
    return std::nullopt;
  const Splits& data = run.data();
  if (!data.preparation) return image_grid(samples, Shape(data.train.image));
  return image_grid(data.preparation->inverse(samples, nullptr), Shape(data.preparation->image()));
}

}  // namespace

int sample_command(const SampleCommand& command, std::ostream& out, Talk& talk) {
  if (command.out.empty())
    throw UsageError("sample: --out is missing; it names the .npz file to write");
  FinishedRun run(command.folder, command.checkpoint);
  const std::string what = wanted(command, run.spec());
  ThreadPool pool(command.threads);
  Sampler sampler(run, pool, command.seed.value_or(run.spec().seed));
  sampler.update(command.updates);
  const Tensor<float> samples = sampler.value(what);
  write_npz<float>(command.out, {{"samples", samples}});
  talk.say(cat(what, " after ", command.updates, command.updates == 1 ? " update" : " updates",
               ", checkpoint ", run.checkpoint(), " of epoch ", run.epoch()));
  out << command.out.string() << '\n';
  if (const std::optional<Picture> picture = picture_of(run, samples)) {
    std::filesystem::path file = command.out;
    file.replace_extension(".png");
    write_file_atomically(file, to_png(*picture));
    out << file.string() << '\n';
  }
  return kExitFine;
}

}  // namespace jacquard::experiments
