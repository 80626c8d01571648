"""Words, signs, colours and rows: how records are put to the reader, whatever widget draws them."""
