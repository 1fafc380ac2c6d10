import json, numpy as np, pandas as pd
from scipy.optimize import nnls
d=pd.DataFrame(json.load(open('/tmp/costrun/costs.json'))['runs'])
W={"8 heads of 8": (32, 8, 8), "1 of 32": (128, 1, 32), "4 of 32": (128, 4, 32)}
g=d.groupby(['edges','degree','degrees','widths'],sort=False,as_index=False).min()
def feats(r,L=2**20):
    F,K,H=W[r.widths]; N=r.edges//r.degree; E=r.edges; w=K*H; C=8
    def cold(table): return max(0,np.log2(table/L))
    return [1, N*F*w+N*w*C, N*(F+w), E*(K+1), E*(w+8), E*(K)*cold(4*N*w)+E*cold(4*N*8), E*w*cold(4*N*w), N*w*(4*N*w>2**25)+N*F*(4*N*F>2**25)]
A=np.array([feats(r) for r in g.itertuples()]); t=g.seconds.values
def fit(A,t): 
    x,_=nnls(A/t[:,None],np.ones(len(t))); return x
x=fit(A,t); r=A@x/t
print(x); 
g['ratio']=r
print(g.pivot_table(index=['widths','degrees','degree'],columns='edges',values='ratio').round(2))
print('worst',r.max(),1/r.min())
for e in sorted(g.edges.unique()):
    m=(g.edges!=e).values; x=fit(A[m],t[m]); r=A[~m]@x/t[~m]; print('left out',e, r.min().round(2), r.max().round(2))
