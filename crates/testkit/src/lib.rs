//! A hostile index in a thread, wheels and archives made from recipes, temp homes.
