package store_test

func writeUntilKilled(string) {}
