"""Misconceptions planted in assignment 3."""

from . import planted

PLANTED = [
    planted(
        "q1",
        "the validation nodes are the first of the order, training nodes or not",
        """
def make_split(y, order, per_class, num_val, num_test):
    known = [i for i in order.tolist() if y[i] >= 0]
    train = []
    for c in set(y[known].tolist()):
        train += [i for i in known if y[i] == c][:per_class]
    masks = torch.zeros(3, len(y), dtype=torch.bool)
    masks[0, train] = True
    masks[1, known[:num_val]] = True
    masks[2, known[num_val : num_val + num_test]] = True
    return tuple(masks)
""",
        "the check",
        "all labels known",
        "unknown labels and a small class",
    ),
    planted(
        "q1",
        "nodes without a label are validated on",
        """
def make_split(y, order, per_class, num_val, num_test):
    train = []
    for c in range(int(y.max()) + 1):
        train += [i for i in order.tolist() if y[i] == c][:per_class]
    rest = [i for i in order.tolist() if i not in train]
    masks = torch.zeros(3, len(y), dtype=torch.bool)
    masks[0, train] = True
    masks[1, rest[:num_val]] = True
    masks[2, rest[num_val : num_val + num_test]] = True
    return tuple(masks)
""",
        "the check",
        "unknown labels and a small class",
    ),
    planted(
        "q2",
        "the setting is chosen by the test",
        """
def choose_setting(val, test):
    setting = int(test.mean(dim=1).argmax())
    return setting, test[setting].mean(), test[setting].std(), 0.0
""",
        "the check",
        "validation and test disagree",
    ),
    planted(
        "q2",
        "NumPy's standard deviation divides by n",
        """
def choose_setting(val, test):
    val, test = val.numpy(), test.numpy()
    setting = val.mean(axis=1).argmax()
    means = test.mean(axis=1)
    gap = means.max() - means[setting]
    return setting, means[setting], test[setting].std(), gap
""",
        "the check",
        "validation and test agree",
        "validation and test disagree",
    ),
    planted(
        "q3",
        "only a new best counts",
        """
def stop_early(losses, accuracies, patience):
    lowest, highest, waited, kept, epochs = math.inf, -math.inf, 0, 0, 0
    for loss, accuracy in zip(losses, accuracies):
        best = loss < lowest, accuracy > highest
        kept = epochs if all(best) else kept
        waited = 0 if any(best) else waited + 1
        lowest, highest = min(lowest, loss), max(highest, accuracy)
        epochs += 1
        if waited == patience:
            break
    return kept, epochs
""",
        "the check",
        "equal values",
    ),
    planted(
        "q3",
        "it stops one epoch after patience is used up",
        """
def stop_early(losses, accuracies, patience):
    lowest, highest, waited, kept, epochs = math.inf, -math.inf, 0, 0, 0
    for loss, accuracy in zip(losses, accuracies):
        best = loss <= lowest, accuracy >= highest
        kept = epochs if all(best) else kept
        waited = 0 if any(best) else waited + 1
        lowest, highest = min(lowest, loss), max(highest, accuracy)
        epochs += 1
        if waited > patience:
            break
    return kept, epochs
""",
        "the check",
        "patience ends it",
        "equal values",
    ),
    planted(
        "q4",
        "pairs are compared as two groups that share nothing",
        """
def compare_pairs(a, b, num_comparisons):
    test = stats.ttest_ind(a, b, equal_var=False)
    low, high = test.confidence_interval(1 - 0.05 / num_comparisons)
    verdict = "higher" if low > 0 else "lower" if high < 0 else "not shown"
    return sum(a) / len(a) - sum(b) / len(b), low, high, verdict
""",
        "the check",
        "one comparison",
        "several comparisons",
    ),
    planted(
        "q4",
        "each comparison has its own 95 %",
        """
def compare_pairs(a, b, num_comparisons):
    gaps = torch.tensor(a, dtype=torch.float64) - torch.tensor(b, dtype=torch.float64)
    mean, n = gaps.mean().item(), len(a)
    half = stats.t.isf(0.025, n - 1) * gaps.std().item() / math.sqrt(n)
    low, high = mean - half, mean + half
    verdict = "higher" if low > 0 else "lower" if high < 0 else "not shown"
    return mean, low, high, verdict
""",
        "the check",
        "several comparisons",
    ),
    planted(
        "q5",
        "the other weights stay as they were",
        """
def effect_of_removal(graph, z, scores):
    effects = []
    for k in range(len(scores)):
        into = graph.dst == graph.dst[k]
        alpha = scores[k].exp() / scores[into].exp().sum()
        effects.append((alpha * z[graph.src[k]]).norm())
    return torch.stack(effects)
""",
        "the check",
        "several neighbours",
        "only one neighbour",
        "repeated edges",
    ),
    planted(
        "q5",
        "the formula divides by what is left, also where nothing is",
        """
def effect_of_removal(graph, z, scores):
    effects = []
    for k in range(len(scores)):
        into = graph.dst == graph.dst[k]
        alpha = torch.softmax(scores[into], dim=0)
        mine = scores[k].exp() / scores[into].exp().sum()
        change = mine / (1 - mine) * (alpha @ z[graph.src[into]] - z[graph.src[k]])
        effects.append(change.norm())
    return torch.stack(effects)
""",
        "the check",
        "only one neighbour",
    ),
]
