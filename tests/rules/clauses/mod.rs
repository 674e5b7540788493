//! One test for each clause of the three notices that a rule covers, named by its id.
