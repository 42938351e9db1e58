"""Where results lie: store, frame folders, file names, size limit, lock, cache folder, clean-up."""
