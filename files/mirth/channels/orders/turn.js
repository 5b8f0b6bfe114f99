return fileTurn();
