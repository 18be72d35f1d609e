"""What the benchmarks share: the tools, their folders of migrations, a slow network, and the measuring of processes."""
