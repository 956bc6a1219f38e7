// The short forms: what they expand to, and that it is what it claims to be.
#include "models/autoencoder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/ops.hpp"
#include "models/mlp.hpp"
#include "models/model.hpp"
#include "models/short_form.hpp"
#include "nn/corruptions.hpp"

using namespace jacquard;
using namespace jacquard::models;

namespace {

std::string text_of(const Declarations& declarations) {
  std::string text;
  for (const Parameter& p : declarations.parameters)
    text += cat(p.name, ' ', p.shape, p.initial.kind.empty() ? "" : " ", p.initial.kind, '\n');
  for (const auto& [name, value] : declarations.define) text += cat(name, " = ", value, '\n');
  return text;
}

std::string error_of(auto&& call) {
  try {
    call();
    return "";
  } catch (const SpecError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("one tied layer expands to the text of the long form") {
  CHECK(text_of(autoencoder({.inputs = 784, .hidden = {256}})) ==
        "W [784, 256]\n"
        "b [256]\n"
        "c [784]\n"
        "h = sigmoid(x @ W + b)\n"
        "logits = h @ W.T + c\n"
        "y = sigmoid(logits)\n");
}

TEST_CASE("an untied layer has decoder weights of its own, and a linear output has y = logits") {
  CHECK(text_of(autoencoder({.inputs = 6,
                             .hidden = {4},
                             .tied = false,
                             .activation = "tanh",
                             .output = "linear",
                             .corruption = Corruption{"gaussian_noise", 0.3},
                             .initial = {"normal", {{"std", 0.01}}}})) ==
        "W [6, 4] normal\n"
        "b [4]\n"
        "V [4, 6] normal\n"
        "c [6]\n"
        "corrupted = gaussian_noise(x, 0.3)\n"
        "h = tanh(corrupted @ W + b)\n"
        "logits = h @ V + c\n"
        "y = logits\n");
}

TEST_CASE("deep autoencoders mirror the encoder in the decoder") {
  CHECK(text_of(autoencoder({.inputs = 10, .hidden = {8, 5, 2}, .activation = "relu"})) ==
        "W1 [10, 8]\n"
        "b1 [8]\n"
        "W2 [8, 5]\n"
        "b2 [5]\n"
        "W3 [5, 2]\n"
        "b3 [2]\n"
        "c1 [10]\n"
        "c2 [8]\n"
        "c3 [5]\n"
        "h1 = relu(x @ W1 + b1)\n"
        "h2 = relu(h1 @ W2 + b2)\n"
        "h = relu(h2 @ W3 + b3)\n"
        "g2 = relu(h @ W3.T + c3)\n"
        "g1 = relu(g2 @ W2.T + c2)\n"
        "logits = g1 @ W1.T + c1\n"
        "y = sigmoid(logits)\n");
  CHECK(text_of(autoencoder(
            {.inputs = 10, .hidden = {8, 5}, .tied = false, .activation = "identity"})) ==
        "W1 [10, 8]\n"
        "b1 [8]\n"
        "W2 [8, 5]\n"
        "b2 [5]\n"
        "V1 [8, 10]\n"
        "c1 [10]\n"
        "V2 [5, 8]\n"
        "c2 [8]\n"
        "h1 = x @ W1 + b1\n"
        "h = h1 @ W2 + b2\n"
        "g1 = h @ V2 + c2\n"
        "logits = g1 @ V1 + c1\n"
        "y = sigmoid(logits)\n");
}

TEST_CASE("what an autoencoder expands to has the value of its formula") {
  Tape tape;
  const Declarations d = autoencoder({.inputs = 4, .hidden = {3, 2}, .activation = "tanh"});
  Model model(tape, d, {{"x", {2, 4}}});
  Feed<double> feed = initial_values(d, 5);
  Tensor<double> x({2, 4});
  for (std::int64_t i = 0; i < 8; ++i) x[i] = 0.1 * static_cast<double>(i);
  for (std::int64_t i = 0; i < 4; ++i) feed.at("c1")[i] = 0.3 * static_cast<double>(i);
  feed.emplace("x", x);
  const Tensor<double>&W1 = feed.at("W1"), &W2 = feed.at("W2"), &c1 = feed.at("c1");
  const Tensor<double> y = evaluate<double>(model["y"], feed);
  for (std::int64_t n = 0; n < 2; ++n) {
    double h1[3] = {}, h[2] = {}, g1[3] = {};
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 4; ++i) h1[j] += x[4 * n + i] * W1[3 * i + j];
      h1[j] = std::tanh(h1[j]);
    }
    for (int k = 0; k < 2; ++k) {
      for (int j = 0; j < 3; ++j) h[k] += h1[j] * W2[2 * j + k];
      h[k] = std::tanh(h[k]);
    }
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 2; ++k) g1[j] += h[k] * W2[2 * j + k];
      g1[j] = std::tanh(g1[j]);
    }
    for (int i = 0; i < 4; ++i) {
      double a = c1[i];
      for (int j = 0; j < 3; ++j) a += g1[j] * W1[3 * i + j];
      CHECK(y[4 * n + i] == doctest::Approx(1 / (1 + std::exp(-a))).epsilon(1e-13));
    }
  }
}

TEST_CASE("a corrupted autoencoder draws from the stream of its definition") {
  Tape tape;
  Model model(
      tape,
      autoencoder({.inputs = 4, .hidden = {2}, .corruption = Corruption{"masking_noise", 0.25}}),
      {{"x", {3, 4}}});
  CHECK(model["corrupted"] == nn::masking_noise(model["x"], 0.25, "define/corrupted#0"));
  CHECK(model["h"] == sigmoid(matmul(model["corrupted"], model["W"]) + model["b"]));
}

TEST_CASE("classifiers expand to logits and probabilities") {
  CHECK(text_of(mlp({.inputs = 784, .hidden = {100, 50}, .classes = 10})) ==
        "W1 [784, 100]\n"
        "b1 [100]\n"
        "W2 [100, 50]\n"
        "b2 [50]\n"
        "W3 [50, 10]\n"
        "b3 [10]\n"
        "h1 = relu(x @ W1 + b1)\n"
        "h2 = relu(h1 @ W2 + b2)\n"
        "logits = h2 @ W3 + b3\n"
        "y = softmax(logits)\n");
  CHECK(text_of(mlp({.inputs = 784, .classes = 10})) ==
        "W [784, 10]\n"
        "b [10]\n"
        "logits = x @ W + b\n"
        "y = softmax(logits)\n");
  Tape tape;
  Model model(tape, mlp({.inputs = 4, .hidden = {3}, .classes = 2}),
              {{"x", {5, 4}}, {"labels", {5}}});
  CHECK(model.scalar("mean(softmax_cross_entropy(logits, labels))").shape() == Shape{});
}

TEST_CASE("every kind of the table expands, and records without a mistake") {
  for (const ModelKind& kind : model_kinds()) {
    CAPTURE(kind.name);
    CHECK_FALSE(kind.fields.empty());
    ShortForm form = find_model_kind(kind.name).defaults;
    std::visit([](auto& config) { config.inputs = 6; }, form);
    if (auto* config = std::get_if<AutoencoderConfig>(&form)) config->hidden = {3};
    if (auto* config = std::get_if<MlpConfig>(&form)) config->classes = 4;
    Tape tape;
    Model model(tape, expand(form), {{"x", {2, 6}}});
    CHECK(model["y"].shape()[0] == 2);
  }
}

TEST_CASE("every activation and corruption can be asked for") {
  for (const std::string& corruption : corruption_kinds())
    for (const char* activation : {"identity", "linear", "sigmoid", "tanh", "softplus", "relu",
                                   "leaky_relu", "elu", "selu", "gelu", "sin"}) {
      CAPTURE(activation);
      Tape tape;
      CHECK_NOTHROW(Model(tape,
                          autoencoder({.inputs = 4,
                                       .hidden = {3, 2},
                                       .activation = activation,
                                       .corruption = Corruption{corruption, 0.5}}),
                          {{"x", {2, 4}}}));
    }
}

TEST_CASE("short forms that make no sense are refused with what is wrong") {
  CHECK(error_of([] { autoencoder({.inputs = 0, .hidden = {3}}); }) ==
        "autoencoder: inputs = 0; at least 1 is needed");
  CHECK(error_of([] { autoencoder({.inputs = 4}); }) ==
        "autoencoder: hidden is empty; one size per layer is needed");
  CHECK(error_of([] {
          autoencoder({.inputs = 4, .hidden = {3, -1}});
        }) == "autoencoder: hidden/1 = -1; at least 1 is needed");
  CHECK(error_of([] { autoencoder({.inputs = 4, .hidden = {0}}); }) ==
        "autoencoder: hidden = 0; at least 1 is needed");
  CHECK(error_of([] { autoencoder({.inputs = 4, .hidden = std::vector<std::int64_t>(101, 2)}); }) ==
        "autoencoder: hidden has 101 layers; at most 100 are allowed");
  CHECK(error_of([] {
          autoencoder({.inputs = 4, .hidden = {2}, .activation = "sigmod"});
        }).starts_with("autoencoder: unknown activation 'sigmod'; did you mean 'sigmoid'? "));
  CHECK(error_of([] { autoencoder({.inputs = 4, .hidden = {2}, .output = "tanh"}); }) ==
        "autoencoder: unknown output 'tanh'; it must be sigmoid or linear");
  CHECK(error_of([] {
          autoencoder({.inputs = 4, .hidden = {2}, .corruption = Corruption{"masking", 0.1}});
        }) ==
        "autoencoder: unknown corruption 'masking'; known corruptions: masking_noise, "
        "gaussian_noise, salt_and_pepper");
  CHECK(error_of([] {
          autoencoder({.inputs = 4, .hidden = {2}, .corruption = Corruption{"masking_noise", 2}});
        }) == "autoencoder: masking_noise of 2; a probability in [0, 1] is needed");
  CHECK(error_of([] {
          autoencoder({.inputs = 4, .hidden = {2}, .corruption = Corruption{"gaussian_noise", -1}});
        }) == "autoencoder: gaussian_noise of -1; a standard deviation must not be negative");
  CHECK(error_of([] { mlp({.inputs = 4}); }) == "mlp: classes = 0; at least 1 is needed");
  CHECK(error_of([] { find_model_kind("autoencodr"); }) ==
        "model: unknown kind 'autoencodr'; did you mean 'autoencoder'? known kinds: autoencoder, "
        "mlp, logistic");
}
