"""The models of documents' contract, by subject; other rooms take them from the contract."""
