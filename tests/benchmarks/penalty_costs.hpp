// The costs of the J workloads, as a user types them and in closed form.
#pragma once

#include "tests/benchmarks/hand_derived.hpp"
#include "tests/benchmarks/planned_step.hpp"

namespace jacquard::benchmarks {

// Cross-entropy of a tied sigmoid autoencoder 784-1000-784, without a penalty ...
TypedCost plain(Tape& tape, std::int64_t batch);
// ... with the contraction of the code (Rifai et al. 2011, eq. 4), typed and in closed form ...
TypedCost contractive(Tape& tape, std::int64_t batch);
TypedCost contractive_by_hand(Tape& tape, std::int64_t batch);
// ... with that of the logits ...
TypedCost contractive_logits(Tape& tape, std::int64_t batch);
// ... with that of the code and four draws of the stochastic Hessian penalty (Rifai et al. 2011b).
TypedCost higher_order(Tape& tape, std::int64_t batch);
TypedCost higher_order_by_hand(Tape& tape, std::int64_t batch);

// The penalties of HandDerivedStep: of a sigmoid encoder n-m-q, and of the reconstruction of a
// tied sigmoid autoencoder n-m-n.
TypedCost encoder_penalty(Tape& tape, const PenaltySizes& sizes);
TypedCost reconstruction_penalty(Tape& tape, const PenaltySizes& sizes);
constexpr PenaltySizes kEncoder{.batch = 100, .n = 784, .m = 500, .q = 250};        // J2
constexpr PenaltySizes kReconstruction{.batch = 20, .n = 784, .m = 250, .q = 784};  // J3s

// The squared Jacobian of a sigmoid encoder 784-256-256-... of so many layers.
TypedCost chain_penalty(Tape& tape, std::int64_t batch, int layers);

}  // namespace jacquard::benchmarks
