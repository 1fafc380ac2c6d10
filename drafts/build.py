import sys
exec(open('/tmp/ch/a.py').read()); exec(open('/tmp/ch/b.py').read()); exec(open('/tmp/ch/c.py').read()); exec(open('/tmp/ch/d.py').read())
nb=new_notebook(cells=cells)
for i,c in enumerate(nb.cells): c["id"]=f"10-{i:03d}"
nb.metadata["kernelspec"]={"display_name":"Python 3","language":"python","name":"python3"}
nbf.write(nb, sys.argv[1])
print(len(cells))
