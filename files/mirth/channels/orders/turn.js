return inTurn();
