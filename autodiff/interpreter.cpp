#include "autodiff/interpreter.hpp"

#include <algorithm>
#include <unordered_set>

#include "autodiff/error.hpp"

namespace jacquard {

template <class T>
Interpreter<T>::Interpreter(const Tape& tape, std::vector<Expr> roots, const Known* known)
    : tape_(tape), roots_(std::move(roots)), known_(known), order_(ancestors(tape, roots_)) {
  if (known_ != nullptr) drop_what_is_known();
  std::unordered_map<NodeId, std::size_t> last_use;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    last_use[order_[i]] = i;
    for (const NodeId in : tape_.node(order_[i]).inputs) last_use[in] = i;
  }
  for (const Expr& root : roots_) last_use.erase(root.id);
  finished_.resize(order_.size());
  for (const auto& [id, place] : last_use) finished_[place].push_back(id);
}

template <class T>
void Interpreter<T>::drop_what_is_known() {
  std::unordered_set<NodeId> needed;
  for (const Expr& root : roots_) needed.insert(root.id);
  for (auto id = order_.rbegin(); id != order_.rend(); ++id)
    if (needed.contains(*id) && !known_->contains(*id))
      for (const NodeId in : tape_.node(*id).inputs) needed.insert(in);
  std::erase_if(order_, [&](NodeId id) { return !needed.contains(id) || known_->contains(id); });
}

template <class T>
Tensor<T> Interpreter<T>::compute(const Node& node, const Known& values, const Feed<T>& feed,
                                  const RunContext& context) const {
  if (is_input(node)) {
    const auto it = feed.find(input_name(node));
    if (it == feed.end())
      throw Error(cat("run: input '", input_name(node), "' of shape ", node.shape,
                      " is needed but has no value"));
    if (!(it->second.shape == node.shape))
      throw Error(cat("run: input '", input_name(node), "' has shape ", node.shape,
                      ", the value given has ", it->second.shape));
    return it->second;
  }
  Tensor<T> out(node.shape);
  std::vector<Operand<T>> in;
  for (const NodeId id : node.inputs) {
    const Tensor<T>& value = is_known(id) ? known_->at(id) : values.at(id);
    in.push_back({&value.shape, value.data.data()});
  }
  node.op->kernel(KernelCall<T>{in, node.shape, out.data.data(), node.attributes, context});
  return out;
}

template <class T>
std::vector<Tensor<T>> Interpreter<T>::run(const Feed<T>& feed, const RunContext& context,
                                           const Observer& observe) const {
  Known values;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const NodeId id = order_[i];
    Tensor<T> value = compute(tape_.node(id), values, feed, context);
    if (observe) observe(id, value);
    values.insert_or_assign(id, std::move(value));
    for (const NodeId done : finished_[i]) values.erase(done);
  }
  std::vector<Tensor<T>> results;
  for (const Expr& root : roots_)
    results.push_back(is_known(root.id) ? known_->at(root.id) : values.at(root.id));
  return results;
}

template <class T>
Tensor<T> evaluate(Expr e, const Feed<T>& feed, const RunContext& context) {
  return Interpreter<T>(*e.tape, {e}).run(feed, context)[0];
}

template class Interpreter<float>;
template class Interpreter<double>;
template class Interpreter<Quad>;
template Tensor<float> evaluate(Expr, const Feed<float>&, const RunContext&);
template Tensor<double> evaluate(Expr, const Feed<double>&, const RunContext&);
template Tensor<Quad> evaluate(Expr, const Feed<Quad>&, const RunContext&);

}  // namespace jacquard
