md(r"""
## See only some neighbours

The first limit is the memory of a step, and full batch has another fault: one step an epoch. **Mini-batches** mend both. But nodes are not independent: a node's output after $L$ layers depends on all nodes up to $L$ edges upstream.

> **Predict.** Take 10 of PPI's 56,944 nodes (29 edges a node on average). How many nodes decide the outputs of two layers? Of three?
""")
code(r"""
tissues = load_ppi(fallback="synthetic", labels="GO-2022")
ppi = batch_graphs(tissues.graphs).with_self_loops()
torch.manual_seed(0)
few = torch.zeros(ppi.num_nodes, dtype=torch.bool)
few[torch.randperm(ppi.num_nodes)[:10]] = True
print(f"{tissues.name}: {ppi.num_nodes:,} nodes, {ppi.num_edges:,} edges")
for hops in range(4):
    part = ppi.receptive_field(few, hops)
    share = part.num_nodes / ppi.num_nodes
    print(f"{hops} hops: {part.num_nodes:7,} nodes, {share:.1%}")
""", out=True)
md(r"""
This is called **neighbourhood explosion**. GraphSAGE (Hamilton et al., 2017) draws: each layer sees of each node only some of its edges, at most the layer's **fan-out**, drawn anew in every step. A list of fan-outs begins with the first layer's. With `[10, 10]` a target reads at most $1+10$ nodes in the last layer and $11\cdot11$ in the first, however many neighbours it has.

We build that sampler in plain PyTorch, without a loop over nodes, in four steps: rows, a draw, new numbers, blocks.

### 1. Rows

`GraphData` keeps its edges sorted by target, as compressed rows (chapter 9): target $i$'s edges are those from `starts[i]` to `starts[i + 1]`. We put each node's self-loop first in its row. It will not be drawn but kept: a node that loses its self-loop forgets itself. `Rows` holds where the rows start, the source and the number of each edge, and how many loops a row begins with.
""")
code(r"""
def rows_of(graph):
    kept, loop = graph.by_target, graph.src == graph.dst
    edge = torch.argsort(2 * graph.dst + ~loop, stable=True)
    loops = torch.bincount(graph.dst[loop], minlength=graph.num_nodes)
    return Rows(
        kept.starts, kept.far.index_select(0, edge), edge.int(), loops
    )


toy = GraphData.from_edges([1, 2, 3, 4, 5, 0, 2], [0, 0, 0, 0, 0, 1, 1])
toy = toy.with_self_loops()
toy_rows = rows_of(toy)
for name, numbers in zip(toy_rows._fields, toy_rows):
    print(f"{name:7}{numbers.tolist()}")
""", builds=["sampling.rows_of"])
md(r"""
### 2. A draw

From a row of $n$ places draw $k$ different ones, all choices equally likely. To shuffle a row touches all of it, and a hub's has millions. **Floyd's algorithm** (Bentley and Floyd, 1987) needs $k$ draws: for $t=n-k,\dots,n-1$ draw a number from 0 to $t$; if it is taken already, take $t$ itself.

> **Predict.** Why is $t$ never taken before its turn?

Here it runs for all rows at once. Row `step` of `taken` holds every row's draw number `step`, and `last` its $t$:
""")
code(r"""
def floyd(sizes, k, generator=None):
    last = sizes - torch.arange(k, 0, -1, device=sizes.device).unsqueeze(1)
    u = torch.rand(k, len(sizes), dtype=torch.float64, generator=generator)
    taken, last = (u.to(sizes.device) * (last + 1)).int(), last.int()
    for step in range(1, k):
        same = taken[:step] == taken[step]
        again = same.view(torch.uint8).amax(0).bool()  # any(0), but faster
        taken[step] = torch.where(again, last[step], taken[step])
    return taken


torch.manual_seed(0)
sizes = torch.tensor([4]).expand(60_000)
pairs = floyd(sizes, k=2).sort(0).values
found, times = pairs.unique(dim=1, return_counts=True)
print("two of four, 60,000 times:")
for pair, number in zip(found.T.tolist(), times.tolist()):
    print(f"  {pair}  {number}")
""", builds=["sampling.floyd"])
md(r"""
Each of the six pairs comes up about ten thousand times. (All steps before drew or took smaller numbers, so $t$ is free.)

A target that has no more edges than the fan-out keeps all. So we take the first places of every row, then overwrite those of the rows that are longer. `first` is where a target's row starts in the graph, `begin` where its share starts in the result, and `skip` passes over its loops:
""")
code(r"""
def draw(starts, targets, fanout, kept=None, generator=None):
    first = starts.index_select(0, targets).long()
    degree = starts.index_select(0, targets + 1) - first
    fixed = (
        torch.zeros_like(first)
        if kept is None
        else kept.index_select(0, targets)
    )
    count = degree if fanout < 0 else degree.minimum(fixed + fanout)
    begin = count.cumsum(0) - count
    place = torch.arange(int(count.sum()), device=starts.device)
    place += torch.repeat_interleave(first - begin, count)
    many = (degree > count).nonzero()[:, 0]
    if len(many) and fanout > 0:
        after, at, d = (
            v.index_select(0, many) for v in (first, begin, degree)
        )
        skip = fixed.index_select(0, many)
        taken = floyd(d - skip, fanout, generator)
        order = torch.arange(fanout, device=starts.device).unsqueeze(1)
        place[(at + skip + order).flatten()] = (
            after + skip + taken
        ).flatten()
    return place, count


targets = torch.tensor([0, 1, 3])
place, count = draw(
    toy_rows.starts, targets, fanout=2, kept=toy_rows.loops
)
per_target = toy_rows.src[place].split(count.tolist())
for target, sources in zip(targets.tolist(), per_target):
    print(f"node {target} sees {sources.tolist()}")
""", builds=["sampling.draw"])
md(r"""
Node 0 has five neighbours and sees two; node 1 has two and sees both; node 3 has none. Each sees itself.

### 3. New numbers

The layers want nodes numbered from 0 without gaps. Targets come first, then the sources that are not targets, each once. A table `local` of all nodes holds the new numbers meanwhile. A source may be there several times: `scatter_reduce_` with `amin` lets its first place win, and those are `fresh`. At the end the table is cleared where it was written, not everywhere, which would cost $N$ for every batch.
""")
code(r"""
def renumber(targets, src, local):
    number = len(targets)
    try:
        local[targets] = torch.arange(number, device=src.device)
        new = src.masked_select(local.index_select(0, src) < 0)
        order = torch.arange(number, number + len(new), device=src.device)
        local.scatter_reduce_(0, new, order, "amin", include_self=False)
        fresh = new.masked_select(local.index_select(0, new) == order)
        nodes = torch.cat([targets, fresh])
        local[fresh] = torch.arange(number, len(nodes), device=src.device)
        return nodes, local.index_select(0, src)
    finally:
        local.index_fill_(0, targets, -1)
        local.index_fill_(0, src, -1)


local = torch.full((toy.num_nodes,), -1)
nodes, ends = renumber(targets, toy_rows.src[place].long(), local)
print("nodes        ", nodes.tolist())
print("their sources", ends.tolist())
""", builds=["sampling.renumber"])
md(r"""
### 4. Blocks

A **block** is what one layer computes on: a graph whose first nodes are its targets, with edges into these alone. The last layer's targets are the nodes we want. All nodes of its block are the targets of the layer before, which draws again, and so on down. """)
code(r"""
class NeighborSampler:
    def __init__(self, graph, fanouts, generator=None):
        self.graph, self.generator = graph, generator
        self.fanouts = require_fanouts(fanouts)
        self.rows = rows_of(graph)
        self._local = torch.full_like(graph.in_degrees, -1)

    def __call__(self, targets):
        nodes = targets = require_targets(self.graph, targets)
        blocks = []
        for fanout in reversed(self.fanouts):
            block, nodes = self.block(nodes, fanout)
            blocks.insert(0, block)
        return Batch(targets, nodes, blocks)

    def block(self, targets, fanout):
        starts, src, edge, loops = self.rows
        place, count = draw(starts, targets, fanout, loops, self.generator)
        sources = src.index_select(0, place).long()
        nodes, ends = renumber(targets, sources, self._local)
        row = torch.arange(len(targets), device=targets.device)
        own = edge_fields(self.graph, edge, place)
        own["dst"] = row.repeat_interleave(count)
        part = GraphData.trusted(num_nodes=len(nodes), src=ends, **own)
        return Block(part, len(targets)), nodes
""", builds=["sampling.NeighborSampler"])
md(r"""
(`trusted` makes a graph without asking whether it is one; `edge_fields` brings weights and features of edges along; `require_…` hold the error messages.)

A picture of one batch: three targets of a graph like those above, fan-outs 3 and 2.
""")
code(r"""
def draw_batch(batch, panel):
    sizes = [len(batch.nodes), *(b.num_targets for b in batch.blocks)]
    place = [torch.linspace(0, 1, n + 2)[1:-1] for n in sizes]
    for k, block in enumerate(batch.blocks):
        ends = zip(block.graph.src.tolist(), block.graph.dst.tolist())
        for j, i in ends:
            y = [place[k][j], place[k + 1][i]]
            colour = "0.75" if j == i else plotting.CLASS_COLOURS[0]
            panel.plot([k, k + 1], y, color=colour, lw=0.8, zorder=0)
    for k, n in enumerate(sizes):
        paint = {"s": 34, "edgecolors": "0.2", "zorder": 1}
        panel.scatter([k] * n, place[k], c=[plotting.CLASS_COLOURS[k]], **paint)
    names = ("features read", "after layer 1", "targets")
    ticks = [f"{name}\n{n} nodes" for name, n in zip(names, sizes)]
    panel.set_xticks(range(3), ticks)
    panel.set_yticks([])


torch.manual_seed(3)
graph = power_law_graph(300, 6_000).with_self_loops()
with plotting.style():
    figure, panel = plt.subplots(figsize=(5.4, 3.6), layout="constrained")
    draw_batch(NeighborSampler(graph, [3, 2])(torch.tensor([5, 8, 9])), panel)
    panel.set_title("two blocks, fan-outs 3 and 2")
""", hide=True, fig="One batch, read from right to left: three targets draw two neighbours each; all of these nodes draw three more. Grey lines are self-loops, which are always kept. A node that is drawn twice appears once.", alt="Three columns of dots joined by lines: some thirty nodes on the left, nine in the middle, three on the right.", name="fig-large-batch")
md(r"""
A model computes a batch by giving each layer its own block and keeping the rows of the targets:
""")
code(r"""
class Blockwise(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = require_layered(model)

    def forward(self, batch, x):
        require_blocks(self.model, batch)
        layers = layers_of(self.model)
        for number, (layer, block) in enumerate(
            zip(layers, batch.blocks, strict=True)
        ):
            h = self.model.activation(x) if number else x
            x = layer(block.graph, h)[: block.num_targets]
        return x
""", builds=["blockwise.Blockwise"])
md(r"""
The first check of any sampler: draw **all** edges, and the batch must give what the whole graph gives.
""")
code(r"""
torch.manual_seed(0)
model = GAT(graph.num_features, graph.num_classes).eval()
targets = torch.tensor([5, 8, 9])
for fanouts in ([-1, -1], [3, 2]):
    batch = NeighborSampler(graph, fanouts)(targets)
    with torch.no_grad():
        out = Blockwise(model)(batch, batch.rows(graph.x))
        error = out - model(graph, graph.x)[targets]
    print(f"fan-outs {fanouts}: off by up to {error.abs().max():.2g}")
""")
md(r"""
With all edges it is equal to rounding. With fewer it is not, and not on average either: equation (3) shares its weight among those that were drawn. (A plain mean of drawn neighbours is right on average. Exercise 10.3 computes what attention loses.) A GCN is refused: it divides by the root of the source's degree too, and a block does not hold all edges into its sources.

The second check: is it fair? DGL's `NeighborSampler` draws by the same rule, in C++. The course's tests compare how often each edge is drawn by both, and find no difference. How fast are they? Both draw batches of 1,000 targets for two layers, in turns, in one process on one thread; self-loops are left out (stored runs, `throughput`; below 1 we are faster):
""")
code(r"""
speed = catalogue.stored("throughput")
rows = {}
for (name, fanout), own in speed.groupby(["graph", "fanout"], sort=False):
    ratio, loader = own["ours"] / own["DGL"], own["DGL's DataLoader"]
    trained = own["ours, trained"] / own["DGL, trained"]
    rows[name, fanout] = {
        "edges drawn": f"{own['edges'].mean():,.0f}",
        "ours, ms": f"{own['ours'].mean():.1f}",
        "DGL, ms": f"{own['DGL'].mean():.1f}",
        "its DataLoader, ms": f"{loader.mean():.1f}",
        "ours / DGL": f"{ratio.min():.2f} to {ratio.max():.2f}",
        "with training": f"{trained.min():.2f} to {trained.max():.2f}",
    }
print("a batch, and our time over DGL's in three rounds")
pd.DataFrame(rows).T
""")
md(r"""
Plain PyTorch draws about as fast as the library's C++. With a training step DGL is ahead: 20 to 60 % at fan-outs 5 and 10, less at 25.

Now on your machine:
""")
code(r"""
large = power_law_graph(NODES, LINKS, noise=16.0, inside=0.6)
large = replace(large, x=large.x / 16).with_self_loops()
sampler = NeighborSampler(large, [10, 10])
parts = equal_parts(torch.randperm(large.num_nodes), 1_000)[:20]
start = time.perf_counter()
batches = [sampler(part) for part in parts]
taken = time.perf_counter() - start
read = sum(len(batch.nodes) for batch in batches) / len(batches)
print(large)
print(f"{1e3 * taken / len(parts):.1f} ms a batch")
print(f"a batch reads {read:,.0f} nodes, at most {len(parts[0]) * 11 * 11:,}")
""", out=True)
md(r"""
### Train on batches

`fit_sampled` is `fit` with such batches: an epoch goes through the training nodes once, in random order.

To validate and to test, use all edges, **layer by layer**: compute the first layer for all nodes, some thousand at a time, keep the results, then the second. No node is computed twice, however many ask for it.
""")
code(r"""
@torch.no_grad()
def layer_by_layer(model, graph, batch_size=10_000):
    sampler = NeighborSampler(graph, [-1])
    h, layers = graph.x, layers_of(model)
    for number, layer in enumerate(layers, 1):
        rows = []
        for part in equal_parts(
            torch.arange(graph.num_nodes), batch_size
        ):
            batch = sampler(part)
            out = layer(batch.blocks[0].graph, batch.rows(h))
            rows.append(out[: len(part)])
        h = torch.cat(rows)
        h = model.activation(h) if number < len(layers) else h
    return h


whole, pieces = model(graph, graph.x), layer_by_layer(model, graph, 70)
print("equal:", torch.allclose(whole, pieces, atol=1e-5))
""")
md(r"""
(The package's is `blockwise.infer`.) Now a graph of a hundred thousand nodes, of which a node's own features say little about its class:
""")
code(r"""
torch.manual_seed(0)
model = GAT(large.num_features, large.num_classes, dropout=0.2)
history = fit_sampled(
    model,
    large,
    [5, 5],
    batch_size=1024,
    max_epochs=EPOCHS,
    patience=None,
    progress=False,
)
for epoch, accuracy in enumerate(history.val_accuracy, 1):
    print(f"after epoch {epoch}: {accuracy:.1f} % of the validation nodes")
found = evaluate_sampled(model, large, large.test_mask)
print(f"test, all edges: {found.accuracy:.1f} %")
print(f"{history.seconds / history.epochs:.0f} s an epoch, with validation")
""", out=True)
code(r"""
def batch_step(graph):
    wide = Blockwise(GAT(graph.num_features, 8, dropout=0.2)).train()
    batch = NeighborSampler(graph, [5, 5])(torch.arange(1024))

    def run():
        out = wide(batch, batch.rows(graph.x))
        nn.functional.cross_entropy(out, graph.y[batch.targets]).backward()

    return run


rows = {}
for factor in (1, 2):
    graph = power_law_graph(factor * NODES, factor * LINKS).with_self_loops()
    step = batch_step(graph)
    step()
    sizes = {"nodes": graph.num_nodes, "edges": graph.num_edges}
    shape = costs.Shape(features=graph.num_features, **sizes)
    whole = costs.memory(shape)["step"] / 1e6
    rows[f"{graph.num_edges:,} edges"] = measure.peak_memory(step) / 1e6, whole
columns = ["a batch, MB", "full batch by the formula, MB"]
pd.DataFrame(rows, columns).T.round(1)
""", out=True)
md(r"""
The memory of a step has a bound that does not know the graph: $B\prod_\ell(1+k_\ell)$ rows for $B$ targets and fan-outs $k_\ell$. (On the larger graph a batch meets fewer nodes twice, so it still grows towards it.) The graph and its features stay in memory, and so do two tables of all nodes when we validate.

Drawing neighbours is one way of several:

| way | what a step sees | source |
|---|---|---|
| neighbours | some edges of each node, drawn anew | GraphSAGE (Hamilton et al., 2017) |
| subgraphs | a part of the graph with its inner edges | Cluster-GCN (Chiang et al., 2019), GraphSAINT (Zeng et al., 2020) |
| old outputs | what other nodes gave when they were last computed | GNNAutoScale (Fey et al., 2021) |
| no graph | features that were averaged over neighbours once, before training | SGC (Wu et al., 2019), SIGN (Frasca et al., 2020) |
| fewer bytes | the same step in 16 bits, or computed twice in place of kept | chapter 9 |
| a disk | features that are read when a batch needs them | MariusGNN (Waleffe et al., 2023) |

### What does the fan-out cost?

Accuracy, perhaps. We train on Cora and on a power-law graph of 10,000 nodes with 20 edges each, with early stopping; on the latter batches for at most 30 epochs, full batch for at most 300 steps. (Cora's 140 training nodes are one batch, so there only the fan-out differs.) Testing uses all edges (stored runs, `fanouts`).
""")
code(r"""
accuracy = catalogue.stored("fanouts")
rows = {}
for (name, edges), own in accuracy.groupby(["graph", "edges"], sort=False):
    whole = accuracy[accuracy["graph"] == name]
    whole = whole[whole["edges"] == "full batch"]["accuracy"]
    mean, std = own["accuracy"].mean(), own["accuracy"].std()
    gap = difference(own["accuracy"], whole, paired=True)
    text = "" if edges == "full batch" else str(gap)
    rows[name, edges] = f"{mean:.1f} ± {std:.1f}", text
print("test accuracy in percent, 5 seeds; difference to full batch")
pd.DataFrame(rows, ["accuracy", "difference"]).T
""")
md(r"""
On Cora no fan-out is shown to cost anything, not even one edge a node. Perhaps an edge that is left out now and then acts as dropout does. On the power-law graph a node's own features say little; there ten and five of its twenty edges are as good as all, two cost some points, and one costs far more and makes the result a matter of luck.
""")
